"""An OpenAI request as an order for llama.cpp: what is not known is refused, what is unsafe never passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ai_semble.errors import FieldProblem, InvalidRequest
from ai_services.llm.engines.llama.order import Order
from ai_services.llm.engines.llama.schemas import ANY_OBJECT, grammar_of
from ai_services.llm.engines.protocol import Call

SAMPLING = frozenset(
    [
        "frequency_penalty",
        "ignore_eos",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "min_p",
        "n",
        "presence_penalty",
        "repeat_last_n",
        "repeat_penalty",
        "seed",
        "stop",
        "temperature",
        "top_k",
        "top_logprobs",
        "top_p",
        "typical_p",
    ]
)
CHAT = frozenset(
    ["chat_template_kwargs", "messages", "parallel_tool_calls", "reasoning_effort", "tool_choice", "tools"]
)
TEXT = frozenset(
    [
        "prompt",
    ]
)
# Known to OpenAI, without a meaning here.
IGNORED = frozenset(
    [
        "metadata",
        "model",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
        "verbosity",
    ]
)
OURS = frozenset(
    [
        "max_completion_tokens",
        "response_format",
        "stream",
        "stream_options",
    ]
)

MAX_TOOL_NODES = 2000
MAX_TOOL_ALTERNATIVES = 256


def order_of(call: Call, slots: int) -> Order:
    """Raises InvalidRequest or InvalidSchema."""
    body = call.body
    passed = SAMPLING | (CHAT if call.chat else TEXT)
    _refuse_unknown(body, passed | IGNORED | OURS)
    sent = {key: value for key, value in body.items() if key in passed and value is not None}
    if (limit := body.get("max_completion_tokens")) is not None:
        sent["max_tokens"] = limit
    if call.chat:
        sent["messages"] = [_plain_message(message, at) for at, message in enumerate(body["messages"])]
        _check_tools(sent.get("tools") or ())
    if (grammar := _grammar(body.get("response_format"))) is not None:
        sent["grammar"] = grammar
    _check_choices(sent, slots)
    sent |= {"stream": True, "return_progress": True, "stream_options": {"include_usage": True}}
    return Order(
        chat=call.chat,
        whole=not call.stream,
        tally=bool((body.get("stream_options") or {}).get("include_usage")),
        reserve=call.reserve,
        body=orjson.dumps(sent),
    )


def _refuse_unknown(body: Mapping[str, Any], known: frozenset[str]) -> None:
    problems = [FieldProblem(key, "is not known, or not supported") for key in body if key not in known]
    if problems:
        names = ", ".join(f"`{problem.field}`" for problem in problems)
        raise InvalidRequest(f"{names}: not known, or not supported by this engine", fields=problems)


def _check_choices(sent: dict[str, Any], slots: int) -> None:
    if (sent.get("n") or 1) > slots:
        raise _invalid("n", f"at most {slots} answers are written at once")


def _plain_message(message: Any, at: int) -> Any:
    """The message as chat templates know it. Pictures and sound are refused before anything fetches them."""
    if not isinstance(message, dict):
        raise _invalid(f"messages.{at}", "has to be an object")
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    if any(not isinstance(part, dict) or part.get("type") != "text" for part in parts):
        raise _invalid(
            f"messages.{at}.content", "this model reads text only; pictures go to /ai/vision/analyze"
        )
    return {**message, "role": "system"} if message.get("role") == "developer" else message


def _grammar(response_format: Any) -> str | None:
    """What enforces OpenAI's `response_format`, if anything has to be."""
    match response_format:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return grammar_of(ANY_OBJECT, "response_format")
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            return grammar_of(schema, "response_format")
        case _:
            raise _invalid(
                "response_format",
                'has to be {"type": "text"}, {"type": "json_object"} '
                'or {"type": "json_schema", "json_schema": {"schema": ...}}',
            )


def _check_tools(tools: Any) -> None:
    """llama.cpp turns the parameters of tools into grammars; large ones would keep it busy for minutes."""
    nodes, alternatives = _measure(tools)
    if nodes > MAX_TOOL_NODES or alternatives > MAX_TOOL_ALTERNATIVES:
        raise _invalid(
            "tools",
            f"are too many or too large: {nodes} JSON values of {MAX_TOOL_NODES} that may be, and "
            f"{alternatives} alternatives (enum, anyOf, oneOf) of {MAX_TOOL_ALTERNATIVES}",
        )


def _measure(value: Any) -> tuple[int, int]:
    """How many values a JSON value has, and how many of them are alternatives in a schema."""
    nodes = alternatives = 0
    waiting = [value]
    while waiting:
        nodes += 1
        match waiting.pop():
            case dict() as table:
                waiting.extend(table.values())
                several = (table.get(key) for key in ("enum", "anyOf", "oneOf", "type"))
                alternatives += sum(len(each) for each in several if isinstance(each, list))
            case list() as items:
                waiting.extend(items)
    return nodes, alternatives


def _invalid(field: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"`{field}` {why}", fields=[FieldProblem(field, why)])
