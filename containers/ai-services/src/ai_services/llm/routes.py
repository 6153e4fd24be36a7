"""POST /ai/llm/completion."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from ai_semble.connection import while_connected
from ai_semble.schemas.llm import CompletionAnswer, CompletionDelta, CompletionRequest
from ai_semble.service import runtime_of
from ai_services.llm.completions import StreamEnd, answer_of, call_of, piece_of
from ai_services.llm.desk import Desk
from ai_services.llm.engines.protocol import Call
from ai_services.llm.streams import EventStream, event

EVENT_STREAM: dict[str, Any] = {
    "text/event-stream": {
        "schema": {"type": "string"},
        "example": 'event: delta\ndata: {"text":"Hel"}\n\nevent: delta\ndata: {"text":"lo"}\n\n'
        'event: done\ndata: {"id":"...","model":"...","finish_reason":"stop","usage":{},"timings":{}}\n\n',
    }
}

router = APIRouter(tags=["llm"])


@router.post(
    "/ai/llm/completion",
    response_model=CompletionAnswer,
    responses={200: {"description": "The answer, or its events.", "content": EVENT_STREAM}},
)
async def complete(question: CompletionRequest, request: Request) -> Response:
    """Answer a prompt or a conversation, whole or as a stream of events."""
    desk: Desk = request.app.state.llm
    call = call_of(question)
    if not question.stream:
        return _json(await while_connected(request, _answer(desk, call)))
    events = _events(desk, call)
    first = await while_connected(request, anext(events))
    return EventStream(first, events, request.url.path, runtime_of(request).service)


async def _answer(desk: Desk, call: Call) -> CompletionAnswer:
    async with desk.answering(call) as answering:
        whole = orjson.loads(await answering.generation.whole())
        tally = await answering.generation.ended
    return answer_of(whole, tally, answering.waited_s)


async def _events(desk: Desk, call: Call) -> AsyncGenerator[bytes]:
    end = StreamEnd()
    async with desk.answering(call) as answering:
        async for line in answering.generation.chunks():
            chunk = orjson.loads(line)
            end.note(chunk)
            if piece := piece_of(chunk):
                yield event(_packed(CompletionDelta(text=piece)), "delta")
        tally = await answering.generation.ended
    yield event(_packed(end.event(tally, answering.waited_s)), "done")


def _packed(model: BaseModel) -> bytes:
    return orjson.dumps(model.model_dump(mode="json", exclude_none=True))


def _json(answer: CompletionAnswer) -> Response:
    return Response(_packed(answer), media_type="application/json")
