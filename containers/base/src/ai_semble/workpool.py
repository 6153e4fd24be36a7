"""Blocking work (inference, queries) off the event loop, with a bounded queue in front."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from ai_semble.errors import Overloaded
from ai_semble.metrics import Metrics

P = ParamSpec("P")
T = TypeVar("T")


class WorkPool:
    """`threads` calls run, `waiting` more wait in order of arrival; beyond that `Overloaded` is raised.

    A caller that is cancelled while it waits never starts. One that is cancelled while it runs leaves
    its thread to finish: work that can stop early must watch for that itself.
    """

    def __init__(self, name: str, *, threads: int, waiting: int, metrics: Metrics) -> None:
        self.threads = threads
        self._capacity = threads + waiting
        self._admitted = 0
        self._executor = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)
        self._running = metrics.gauge(f"ai_semble_{name}_running", "Calls being worked on.").labels()
        self._waiting = metrics.gauge(f"ai_semble_{name}_waiting", "Calls waiting for their turn.").labels()
        self._refused = metrics.counter(
            f"ai_semble_{name}_refused", "Calls refused since the queue was full."
        ).labels()
        self._turns = asyncio.Semaphore(threads)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `work` in a worker thread, with the caller's context (request id)."""
        if self._admitted >= self._capacity:
            self._refused.inc()
            raise Overloaded(f"{self._capacity} requests are running or waiting already", retry_after=1)
        self._admitted += 1
        try:
            with self._waiting.track_inprogress():
                await self._turns.acquire()
        except BaseException:
            self._admitted -= 1
            raise
        self._running.inc()
        context = contextvars.copy_context()
        future = self._executor.submit(partial(context.run, work, *args, **kwargs))
        loop = asyncio.get_running_loop()
        # The turn is given back when the thread is done, not when the caller goes away.
        future.add_done_callback(lambda _: _call_soon(loop, self._give_back))
        return await asyncio.wrap_future(future)

    def _give_back(self) -> None:
        self._running.dec()
        self._admitted -= 1
        self._turns.release()

    def close(self) -> None:
        """Wait for what runs, drop what waits."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def _call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback)
