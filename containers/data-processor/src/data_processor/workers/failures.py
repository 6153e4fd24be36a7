"""Errors on their way from one process to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_semble.errors import AiSembleError, FieldProblem


def describe(error: AiSembleError) -> dict[str, Any]:
    """An error as it crosses between processes."""
    return {
        "code": error.code,
        "detail": error.detail,
        "hint": error.user_hint,
        "fields": [[item.field, item.message] for item in error.fields],
        "extra": error.extra,
    }


def restore(description: Mapping[str, Any]) -> AiSembleError:
    """The error that was described."""
    known = {cls.code: cls for cls in _all_classes(AiSembleError) if hasattr(cls, "code")}
    return known[description["code"]](
        description["detail"],
        hint=description["hint"],
        fields=[FieldProblem(field, message) for field, message in description["fields"]],
        extra=description["extra"],
    )


def _all_classes(cls: type[AiSembleError]) -> list[type[AiSembleError]]:
    return [found for sub in cls.__subclasses__() for found in (sub, *_all_classes(sub))]
