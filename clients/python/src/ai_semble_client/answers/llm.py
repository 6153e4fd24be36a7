"""Answers of the language model."""

from __future__ import annotations

from ai_semble_client.answers.base import Answer


class Usage(Answer):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionEnd(Answer):
    """Everything but the text. `finish_reason` is `stop`, or `length` when `max_tokens` cut it off."""

    id: str
    model: str
    finish_reason: str
    usage: Usage
    timings: dict[str, float]


class Completion(CompletionEnd):
    """A whole answer."""

    text: str
    reasoning: str | None = None
