"""The service's side of the process that runs llama.cpp: start it, talk to it, see it end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from contextlib import suppress
from typing import Self, cast

import psutil

from ai_semble.logs import get_logger
from ai_services.llm.engines.llama.calls import LlamaGeneration, problem_of
from ai_services.llm.engines.llama.order import Loaded, Order, Refusal, Settings
from ai_services.llm.engines.llama.wire import Frame, Kind, Splitter
from ai_services.llm.errors import EngineFailed

log = get_logger(__name__)
HOST_MODULE = "ai_services.llm.engines.llama.host"
LOG_LINE_LIMIT = 1024 * 1024
ENGINE_ENVIRONMENT = {"GOMP_SPINCOUNT": "1000"}
"""How long llama.cpp's threads wait for each other by spinning: about 20 microseconds.

By default it is milliseconds. On two cores that are busy otherwise that made 2 tokens a second, this makes
15; on two idle cores both make 100, and without any spinning it is 50.
"""
LAST_LINES = 20
_LLAMA_ERROR = re.compile(r"[\d.]+ E (?P<text>.*)")


class HostProcess(asyncio.Protocol):
    """One life of the host process. Every call that it has begun ends, at the latest when it dies."""

    def __init__(self, process: Process, cancel_limit_s: float) -> None:
        self._process = process
        self._cancel_limit_s = cancel_limit_s
        self._splitter = Splitter()
        self._calls: dict[int, LlamaGeneration] = {}
        self._last_call = 0
        self._loaded: asyncio.Future[Loaded] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._killed = False
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._ending = asyncio.create_task(self._watch())

    @classmethod
    async def spawn(cls, cancel_limit_s: float) -> Self:
        """A fresh process with nothing loaded."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", HOST_MODULE, str(theirs.fileno())),
                pass_fds=[theirs.fileno()],
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=PIPE,
                env={**ENGINE_ENVIRONMENT, **os.environ},
                limit=LOG_LINE_LIMIT,
            )
        host = cls(process, cancel_limit_s)
        await asyncio.get_running_loop().create_unix_connection(lambda: host, sock=ours)
        return host

    async def load(self, settings: Settings) -> Loaded:
        """Load the model. Raises EngineFailed."""
        self._send(Kind.LOAD, 0, settings.packed())
        return await self._loaded

    def begin(self, order: Order) -> LlamaGeneration:
        """Hand an order to llama.cpp."""
        self._last_call += 1
        number = self._last_call
        generation = LlamaGeneration(lambda: self._cancel(number))
        self._calls[number] = generation
        generation.ended.add_done_callback(lambda _: self._calls.pop(number, None))
        self._send(Kind.CALL, number, order.packed())
        return generation

    async def wait(self) -> str:
        """Wait for the process to end; says how it did."""
        return await asyncio.shield(self._ending)

    async def kill(self) -> None:
        """End it now: there is nothing in it to save."""
        self._killed = True
        self._kill()
        await self.wait()
        if self._transport:
            self._transport.close()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()

    def memory_bytes(self) -> int:
        try:
            rss: int = psutil.Process(self._process.pid).memory_info().rss
        except psutil.Error:
            return 0
        return rss

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so

    def data_received(self, data: bytes) -> None:
        for frame in self._splitter.feed(data):
            self._dispatch(frame)

    def connection_lost(self, _: Exception | None) -> None:
        self._kill()  # it is ending, or of no use any more

    def _dispatch(self, frame: Frame) -> None:
        if generation := self._calls.get(frame.call):
            generation.take(frame)
        elif frame.kind is Kind.READY:
            self._loaded.set_result(Loaded.unpacked(frame.payload))
        elif frame.kind is Kind.FAILED and not self._loaded.done():
            self._loaded.set_exception(problem_of(Refusal.unpacked(frame.payload)))

    def _send(self, kind: Kind, call: int, payload: bytes = b"") -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(Frame(kind, call, payload).packed())

    def _cancel(self, number: int) -> None:
        self._send(Kind.CANCEL, number)
        asyncio.get_running_loop().call_later(self._cancel_limit_s, self._end_if_stuck, number)

    def _end_if_stuck(self, number: int) -> None:
        """A call that cannot be cancelled would hold its slot, and often all slots, for good."""
        if number in self._calls:
            log.error("engine_stuck", call=number, limit_s=self._cancel_limit_s)
            self._kill()

    async def _watch(self) -> str:
        """Follow the process to its end, let go of everything that waits for it, and say how it ended."""
        await self._relay_log()
        ending = _in_words(await self._process.wait())
        error = EngineFailed(f"llama.cpp ended by itself ({ending})", retry_after=2)
        if not self._killed:
            log.error("engine_died", ending=ending, last_lines=list(self._last_lines))
        if not self._loaded.done():
            self._loaded.set_exception(error)
        for generation in list(self._calls.values()):
            generation.lose(error)
        return ending

    async def _relay_log(self) -> None:
        """llama.cpp's errors into the log; the rest only at debug level."""
        stderr = self._process.stderr
        assert stderr is not None  # noqa: S101 - it is a pipe
        while line := await _next_line(stderr):
            self._last_lines.append(line.strip())
            if error := _LLAMA_ERROR.match(line):
                log.warning("engine_log", text=error["text"].strip())
            else:
                log.debug("engine_log", text=line.strip())


async def _next_line(stderr: asyncio.StreamReader) -> str:
    try:
        return (await stderr.readline()).decode("utf-8", "replace")
    except ValueError:
        return "(a line too long to show)\n"


def _in_words(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    return f"{name}, perhaps since memory ran out" if -code == signal.SIGKILL else name
