"""Our completion request as an engine's call, and the engine's answer as ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_semble.schemas.llm import (
    DEFAULT_MAX_TOKENS,
    CompletionAnswer,
    CompletionEnd,
    CompletionRequest,
    FinishReason,
    JsonObjectFormat,
    JsonSchemaFormat,
    ResponseFormat,
    TextFormat,
    Timings,
    Usage,
)
from ai_services.llm.engines.protocol import Call, Tally


def call_of(request: CompletionRequest) -> Call:
    """The request in OpenAI's shape. A bare prompt becomes a user's message, unless it is `raw`."""
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens or DEFAULT_MAX_TOKENS,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "response_format": _openai_format(request.response_format),
    }
    if request.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    if request.seed is not None:
        body["seed"] = request.seed
    if request.stops:
        body["stop"] = request.stops
    if request.raw:
        body["prompt"] = request.prompt
    elif request.messages is None:
        body["messages"] = [{"role": "user", "content": request.prompt}]
    else:
        body["messages"] = [message.model_dump(mode="json") for message in request.messages]
    return Call(chat=not request.raw, stream=request.stream, body=body, reserve=request.max_tokens or 1)


def _openai_format(response_format: ResponseFormat) -> dict[str, Any]:
    match response_format:
        case JsonSchemaFormat(json_schema=schema):
            return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        case TextFormat(type=kind) | JsonObjectFormat(type=kind):
            return {"type": kind}


def answer_of(whole: Mapping[str, Any], tally: Tally | None, waited_s: float) -> CompletionAnswer:
    """Our answer from OpenAI's."""
    choice = whole["choices"][0]
    message = choice.get("message") or {}
    return CompletionAnswer(
        **_facts(whole, choice.get("finish_reason"), tally, waited_s),
        text=choice.get("text") or message.get("content") or "",
        reasoning=message.get("reasoning_content"),
    )


def piece_of(chunk: Mapping[str, Any]) -> str:
    """The text that a chunk adds."""
    for choice in chunk.get("choices") or ():
        return choice.get("text") or (choice.get("delta") or {}).get("content") or ""
    return ""


class StreamEnd:
    """Remembers what the event `done` has to say, while the chunks pass."""

    def __init__(self) -> None:
        self._seen: dict[str, Any] = {}
        self._reason: str | None = None

    def note(self, chunk: Mapping[str, Any]) -> None:
        self._seen.update({key: chunk[key] for key in ("id", "model", "usage") if chunk.get(key)})
        for choice in chunk.get("choices") or ():
            self._reason = choice.get("finish_reason") or self._reason

    def event(self, tally: Tally | None, waited_s: float) -> CompletionEnd:
        return CompletionEnd(**_facts(self._seen, self._reason, tally, waited_s))


def _facts(
    seen: Mapping[str, Any], reason: str | None, tally: Tally | None, waited_s: float
) -> dict[str, Any]:
    usage = seen.get("usage") or {}
    return {
        "id": seen.get("id", ""),
        "model": seen.get("model", ""),
        "finish_reason": FinishReason(reason or "stop"),
        "usage": Usage(
            prompt_tokens=usage.get("prompt_tokens", 0),
            completion_tokens=usage.get("completion_tokens", 0),
            total_tokens=usage.get("total_tokens", 0),
        ),
        "timings": _timings(tally or Tally(), waited_s),
    }


def _timings(tally: Tally, waited_s: float) -> Timings:
    return Timings(
        queue_ms=round(waited_s * 1000, 3),
        first_token_ms=round((waited_s + tally.first_token_s) * 1000, 3),
        total_ms=round((waited_s + tally.total_s) * 1000, 3),
        tokens_per_second=round(tally.tokens_per_second, 2),
    )
