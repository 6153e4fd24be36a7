"""One answer for everybody who asks at about the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Calls `make` at most once at a time, and keeps its answer for `keep_s`: no stampede reaches it."""

    def __init__(self, make: Callable[[], Awaitable[T]], keep_s: float) -> None:
        self._make = make
        self._keep_s = keep_s
        self._running: asyncio.Task[T] | None = None
        self._good_until = 0.0

    async def get(self) -> T:
        now = asyncio.get_running_loop().time()
        if self._running is None or (self._running.done() and now >= self._good_until):
            self._running = asyncio.ensure_future(self._run())
        # Shielded, since one asker that goes away must not take the answer from the others.
        return await asyncio.shield(self._running)

    async def _run(self) -> T:
        try:
            return await self._make()
        finally:
            self._good_until = asyncio.get_running_loop().time() + self._keep_s
