"""How many tokens a call may use at most, from its body; and how many it used, from the end of its answer. Pure."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from ai_semble import problems
from ai_semble.config import LlmConfig
from ai_semble.errors import FieldProblem, InvalidRequest, MalformedBody
from ai_semble.schemas.llm import (
    DEFAULT_MAX_TOKENS,
    ChatCompletionRequest,
    CompletionRequest,
    TextCompletionRequest,
)
from orchestrator.access.errors import MaxTokensRequired
from orchestrator.gateway.structure import check

# What a body may have besides what is described: OpenAI's and llama.cpp's members that choose no model and write no
# more than `max_tokens` for each of `n` and `best_of` answers. Another server may read others (`models`, `n_predict`).
_HARMLESS = frozenset(
    [
        "best_of",
        "chat_template_kwargs",
        "frequency_penalty",
        "ignore_eos",
        "logit_bias",
        "logprobs",
        "metadata",
        "min_p",
        "parallel_tool_calls",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning_effort",
        "repeat_last_n",
        "repeat_penalty",
        "response_format",
        "safety_identifier",
        "service_tier",
        "store",
        "top_k",
        "top_logprobs",
        "typical_p",
        "user",
        "verbosity",
    ]
)
_MOST_SHOWN = 5
# A body of a call that a limit depends on is parsed on the event loop.
MOST_LOOKED_INTO = 8 * 2**20

_LlmRequest = CompletionRequest | ChatCompletionRequest | TextCompletionRequest
_SHAPES: dict[str, type[_LlmRequest]] = {
    "/ai/llm/completion": CompletionRequest,
    "/v1/chat/completions": ChatCompletionRequest,
    "/v1/completions": TextCompletionRequest,
}
LLM_PATHS = frozenset(_SHAPES)
EMBEDDINGS_PATH = "/v1/embeddings"
# What a chat template adds to a conversation; with tools it writes them once more, and with line breaks.
_TEMPLATE, _TOOLS_FACTOR = 256, 4
# llama.cpp makes its contexts a multiple of this.
_CONTEXT_STEP = 256
_KEPT = 4096
# In JSON a quote within a text has a backslash before it, so what the model writes never has `":` behind a name.
_USAGE = re.compile(rb'"usage":\s*\{')
_TOTAL = re.compile(rb'"total_tokens":\s*(\d{1,12})')
_USAGE_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class Wish:
    """What a body asks for: the model that it names, and the tokens of its answers; None where it is silent."""

    model: str | None
    most_written: int | None
    answers: int
    has_tools: bool
    length: int


def wish_of(path: str, body: bytes) -> Wish:
    """The body as its service reads it, with the same model. Raises what the service would answer.

    What is read differently here and there would be a way around a limit; so JSON that only some parsers take
    (another encoding than UTF-8, NaN) is refused.
    """
    check(body)
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedBody(f"The body is not valid JSON: {error}") from error
    if not isinstance(members, dict):
        raise InvalidRequest("The body has to be a JSON object")
    shape = _SHAPES[path]
    _refuse_unknown(members.keys() - shape.model_fields.keys() - _HARMLESS)
    try:
        request = shape.model_validate(members)
    except ValidationError as error:
        raise problems.from_validation(RequestValidationError(error.errors())) from error
    return Wish(
        model=request.model,
        most_written=_most_written(request),
        answers=max(_whole(members.get("n")), _whole(members.get("best_of"))),
        has_tools=bool(members.get("tools")),
        length=len(body),
    )


def _refuse_unknown(names: Set[str]) -> None:
    """Nobody knows whether another server takes them for a model or for more tokens. Raises InvalidRequest."""
    if not names:
        return
    shown = [name[:64] for name in sorted(names)[:_MOST_SHOWN]]
    more = f", and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    raise InvalidRequest(
        f"With a key for some models or with a limit of tokens, these are refused: {', '.join(shown)}{more}",
        hint="Leave them out; /docs describes what is known.",
        fields=[FieldProblem(name, "not known, so it might get around the key's limits") for name in shown],
    )


def bound_of(wish: Wish, llm: LlmConfig) -> int:
    """The most tokens that prompt and answers can have. Raises MaxTokensRequired.

    A token is at least one byte, and llama.cpp never goes beyond its context, so there this is exact. Of another
    server's templates and pictures nobody knows; what its answer reports is counted then, even if it is more.
    """
    prompt = wish.length * (_TOOLS_FACTOR if wish.has_tools else 1) + _TEMPLATE
    if llm.engine == "llama.cpp":
        context = -(-llm.context // _CONTEXT_STEP) * _CONTEXT_STEP
        written = context if wish.most_written is None else wish.most_written
        return wish.answers * min(prompt + written, context)
    if wish.most_written is None:
        raise MaxTokensRequired("The request does not say how long the answer may become")
    return wish.answers * (prompt + wish.most_written)


def embeddings_bound(body: bytes) -> int:
    """A token is at least one byte, and the marks around a text are fewer than those of JSON."""
    return max(1, len(body))


def _most_written(request: _LlmRequest) -> int | None:
    """None for as much as the context holds. Of two limits given, engines differ in which one counts."""
    if isinstance(request, CompletionRequest):
        return request.max_tokens or DEFAULT_MAX_TOKENS
    given = [request.max_tokens, getattr(request, "max_completion_tokens", None)]
    return max((limit for limit in given if limit), default=None)


def _whole(value: object) -> int:
    """A count as pydantic would take it; what is no count is refused by the service."""
    try:
        return max(1, int(value)) if isinstance(value, int | float | str) else 1
    except (ValueError, OverflowError):
        return 1


class UsageReader:
    """Finds `usage` in an answer that passes by: our own answer begins with it, OpenAI's and streams end with it."""

    def __init__(self) -> None:
        self._head = b""
        self._tail = b""

    def feed(self, chunk: bytes) -> None:
        if len(self._head) < _KEPT:
            self._head += chunk[: _KEPT - len(self._head)]
        self._tail = (self._tail + chunk)[-_KEPT:]

    def begins_with(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether this is in the first few kilobytes."""
        return pattern.search(self._head) is not None

    def total(self) -> int | None:
        """The tokens of the whole call; None when the answer does not tell."""
        found = [total for part in (self._head, self._tail) for total in _totals(part)]
        return max(found, default=None)


def _totals(part: bytes) -> list[int]:
    found = []
    for usage in _USAGE.finditer(part):
        total = _TOTAL.search(part, usage.end(), usage.end() + _USAGE_LENGTH)
        if total is not None:
            found.append(int(total[1]))
    return found
