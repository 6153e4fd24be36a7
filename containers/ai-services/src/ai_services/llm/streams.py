"""Server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ai_semble import problems
from ai_semble.errors import AiSembleError


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
