"""Server-sent events of what goes on until it ends: of a job, or of a run."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from fastapi import Response
from fastapi.responses import StreamingResponse

EVENT_STREAM = "text/event-stream"
_EVENT_ID = re.compile(r"[0-9]{1,15}")
Event = TypeVar("Event")


def number_of(event_id: str | None) -> int:
    """0, from the beginning, for what is no id of an event."""
    return int(event_id) if event_id and _EVENT_ID.fullmatch(event_id) else 0


async def answer(events: AsyncIterator[Event | None], frame: Callable[[Event], str]) -> Response:
    """204 where nothing follows any more. `None` among the events is a sign of life."""
    try:
        first = await anext(events)
    except StopAsyncIteration:
        return Response(status_code=204)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_frames(first, events, frame), 200, headers, EVENT_STREAM)


async def _frames(
    first: Event | None, rest: AsyncIterator[Event | None], frame: Callable[[Event], str]
) -> AsyncIterator[str]:
    yield _framed(first, frame)
    async for event in rest:
        yield _framed(event, frame)


def _framed(event: Event | None, frame: Callable[[Event], str]) -> str:
    return ": still here\n\n" if event is None else frame(event)
