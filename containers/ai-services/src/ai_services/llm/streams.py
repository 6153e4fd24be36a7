"""Server-sent events, and clients that go away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ai_semble import problems
from ai_semble.errors import AiSembleError

T = TypeVar("T")
CLIENT_CLOSED_REQUEST = 499


class ClientGone(Exception):
    """The client closed the connection before there was an answer."""


def nobody() -> Response:
    """What is answered when nobody is there to read it; it shows in the access log."""
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do the work, or cancel it and raise ClientGone when the client goes away first."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_until_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return await working
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.wait({working, leaving})


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def event(data: bytes, name: str = "") -> bytes:
    """One server-sent event; `data` is a single line."""
    return b"".join((f"event: {name}\n".encode() if name else b"", b"data: ", data, b"\n\n"))


class EventStream(StreamingResponse):
    """A stream of events that has begun well: its first event is there.

    An error after that becomes the last event, in the shape that the path's errors have.
    """

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes], path: str, source: str) -> None:
        self._rest = rest
        events = _with_errors(first, rest, path, source)
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._rest.aclose()


async def _with_errors(
    first: bytes, rest: AsyncGenerator[bytes], path: str, source: str
) -> AsyncIterator[bytes]:
    yield first
    try:
        async for each in rest:
            yield each
    except AiSembleError as error:
        document = bytes(problems.response(error, source, path).body)
        yield event(document, "" if path.startswith("/v1/") else "error")
