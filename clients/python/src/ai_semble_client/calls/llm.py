"""Calls of the language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ai_semble_client.answers.llm import Completion
from ai_semble_client.calls.call import Call, given, reading

Message = Mapping[str, str]


def complete(
    prompt: str | Sequence[Message],
    *,
    model: str | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    stop: str | Sequence[str] | None = None,
    seed: int | None = None,
    schema: Mapping[str, Any] | None = None,
    raw: bool | None = None,
) -> Call[Completion]:
    """Ask the language model; `prompt` is a text, or a conversation of messages with `role` and `content`.

    With a JSON `schema` the model can write nothing that does not fit it. `raw` continues the text without a template.
    """
    asked = {"prompt": prompt} if isinstance(prompt, str) else {"messages": [dict(one) for one in prompt]}
    body = given(
        **asked,
        model=model,
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        stop=stop if stop is None or isinstance(stop, str) else list(stop),
        seed=seed,
        response_format=None if schema is None else {"type": "json_schema", "schema": dict(schema)},
        raw=raw,
    )
    return Call("POST", "/ai/llm/completion", reading(Completion), json=body)


def stream(call: Call[Completion]) -> Call[Completion]:
    """The same question, answered piece by piece."""
    return replace(call, json={**(call.json or {}), "stream": True}, headers={"Accept": "text/event-stream"})
