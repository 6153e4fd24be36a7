"""OpenAI's surface: /v1/chat/completions, /v1/completions, /v1/models. As thin as it can be."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from ai_semble.connection import while_connected
from ai_semble.errors import InvalidRequest, MalformedBody, NotReady
from ai_semble.schemas.llm import ChatCompletionRequest, ModelCard, ModelList, TextCompletionRequest
from ai_semble.service import runtime_of
from ai_services.llm.desk import Desk
from ai_services.llm.engines.protocol import Call
from ai_services.llm.streams import EventStream, event

DONE = event(b"[DONE]")

router = APIRouter(prefix="/v1", tags=["openai"])


def _described(model: type[BaseModel]) -> dict[str, Any]:
    """The request body in the API description; the route reads it itself, to hand it on as it came."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "OpenAI's answer, or its chunks as events.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/event-stream": {"schema": {"type": "string"}},
        },
    }
}


@router.post(
    "/chat/completions",
    openapi_extra=_described(ChatCompletionRequest),
    responses=_ANSWERS,
    response_class=Response,
)
async def chat(request: Request) -> Response:
    """OpenAI's chat completion, with tools, JSON by schema and streaming."""
    return await _answered(request, _call(await request.body(), ChatCompletionRequest, chat=True))


@router.post(
    "/completions",
    openapi_extra=_described(TextCompletionRequest),
    responses=_ANSWERS,
    response_class=Response,
)
async def complete(request: Request) -> Response:
    """OpenAI's (legacy) completion: the model continues the prompt."""
    return await _answered(request, _call(await request.body(), TextCompletionRequest, chat=False))


@router.get("/models")
async def models(request: Request) -> ModelList:
    """The models that can be called."""
    desk: Desk = request.app.state.llm
    status = desk.engine.status
    if not status.models:
        raise status.error or NotReady(status.reason, retry_after=2)
    cards = [
        ModelCard(id=model.name, created=model.created, context=model.context, **(model.details or {}))
        for model in status.models
    ]
    return ModelList(data=tuple(cards))


def _call(body: bytes, shape: type[ChatCompletionRequest | TextCompletionRequest], *, chat: bool) -> Call:
    """The body as a call. Raises MalformedBody, InvalidRequest, RequestValidationError."""
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedBody(f"The body is not valid JSON: {error}") from error
    if not isinstance(members, dict):
        raise InvalidRequest("The body has to be a JSON object")
    try:
        request = shape.model_validate(members)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error
    if not chat:
        members = {"max_tokens": request.max_tokens, **members}
    limit = getattr(request, "max_completion_tokens", None) or request.max_tokens
    return Call(chat=chat, stream=bool(request.stream), body=members, reserve=limit or 1)


async def _answered(request: Request, call: Call) -> Response:
    desk: Desk = request.app.state.llm
    if not call.stream:
        return Response(await while_connected(request, _whole(desk, call)), media_type="application/json")
    events = _events(desk, call)
    first = await while_connected(request, anext(events))
    return EventStream(first, events, request.url.path, runtime_of(request).service)


async def _whole(desk: Desk, call: Call) -> bytes:
    async with desk.answering(call) as answering:
        return await answering.generation.whole()


async def _events(desk: Desk, call: Call) -> AsyncGenerator[bytes]:
    async with desk.answering(call) as answering:
        async for chunk in answering.generation.chunks():
            yield event(chunk)
    yield DONE
