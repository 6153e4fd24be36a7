"""A real HTTP server that answers what a test tells it to, badly too: silent, cut off, half.

It speaks HTTP/1.1 by hand, since no server library can be made to misbehave.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

DEADLINE_S = 10
Answer = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Seen:
    """A request as it came in; `body` grows while it is read. `ended` is set when the connection is gone."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    ended: threading.Event = field(default_factory=threading.Event)

    def json(self) -> Any:
        return json.loads(self.body)


class Exchange:
    """One request and the means to answer it in any way."""

    def __init__(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen = seen
        self._reader = reader
        self._writer = writer

    async def read_body(self) -> bytes:
        async for piece in self.body_pieces():
            self.seen.body += piece
        return bytes(self.seen.body)

    async def body_pieces(self) -> Any:
        if self.seen.headers.get("transfer-encoding", "") == "chunked":
            while size := int(await self._reader.readline(), 16):
                yield await self._reader.readexactly(size)
                await self._reader.readexactly(2)
            await self._reader.readexactly(2)
            return
        left = int(self.seen.headers.get("content-length", 0))
        while left:
            piece = await self._reader.read(min(left, 65536))
            if not piece:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(piece)
            yield piece

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def head(self, status: int, *headers: str) -> None:
        await self.send("\r\n".join([f"HTTP/1.1 {status} Status", *headers, "", ""]).encode("latin-1"))

    async def answer(self, status: int, kind: str, body: bytes, *headers: str) -> None:
        await self.head(status, f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers)
        await self.send(body)

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def gone(self) -> None:
        """Returns when the other side has closed the connection."""
        with suppress(ConnectionError):
            while await self._reader.read(65536):
                pass

    def cut(self) -> None:
        """Break the connection off here and now."""
        self._writer.transport.abort()


class Upstream:
    """A running server. Set `answer` to what the next requests shall get; `seen` has what came in."""

    def __init__(self) -> None:
        self.answer: Answer = tell_what_came
        self.seen: list[Seen] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._started = threading.Event()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def last(self) -> Seen:
        return self.seen[-1]

    def reset(self) -> None:
        self.answer = tell_what_came
        self.seen.clear()

    def close_connections(self) -> None:
        """Close every kept-alive connection, as a server that restarts does."""
        for writer in list(self._writers):
            self._loop.call_soon_threadsafe(writer.close)

    def run(self) -> None:
        """Serve until `stop`; for a thread of its own."""
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        for writer in self._writers:
            writer.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wait_until_started(self) -> None:
        if not self._started.wait(DEADLINE_S):
            raise RuntimeError("the fake upstream did not start")

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while head := await _read_head(reader):
                self.seen.append(head)
                try:
                    await self.answer(Exchange(head, reader, writer))
                except (OSError, EOFError):
                    return
                finally:
                    head.ended.set()
        finally:
            self._writers.discard(writer)
            writer.close()


async def _read_head(reader: asyncio.StreamReader) -> Seen | None:
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (OSError, EOFError, asyncio.LimitOverrunError):
        return None
    request, *lines = text.strip().split("\r\n")
    method, target, _ = request.split(" ")
    pairs = (line.split(":", 1) for line in lines)
    return Seen(method, target, {name.lower(): value.strip() for name, value in pairs})


async def tell_what_came(exchange: Exchange) -> None:
    """The request as JSON: method, target, headers, body."""
    body = await exchange.read_body()
    seen = exchange.seen
    told = {
        "method": seen.method,
        "target": seen.target,
        "headers": seen.headers,
        "body": body.decode("latin-1"),
    }
    await exchange.answer(200, "application/json", json.dumps(told).encode())


def answering(status: int, kind: str, body: bytes, *headers: str) -> Answer:
    """Always the same answer, when the whole body was read."""

    async def answer(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.answer(status, kind, body, *headers)

    return answer


@contextmanager
def upstream(port: int = 0) -> Iterator[Upstream]:
    """A running fake upstream, in a thread."""
    made = Upstream()
    made.port = port
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    try:
        made.wait_until_started()
        yield made
    finally:
        made.stop()
        thread.join(DEADLINE_S)
