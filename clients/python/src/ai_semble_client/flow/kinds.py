# Copied by scripts/lib/vendor.py; do not edit.
"""Whether a value is what an input is declared as. Pure."""

from __future__ import annotations

import re
from typing import Any

from ai_semble_client.flow.definition import DATASET_NAME, Input, InputType

_DATASET = re.compile(DATASET_NAME)
_LONGEST_DATASET = 64


def wrong(value: Any, declared: Input) -> str | None:
    """Why a value cannot be this input; None when it can."""
    if not _has_type(value, declared.type):
        words = "the name of a dataset" if declared.type is InputType.DATASET else f"of type {declared.type}"
        return f"is not {words}"
    if declared.enum is not None and value not in declared.enum:
        return f"is none of {', '.join(map(repr, declared.enum[:20]))}"
    if declared.minimum is not None and _is_number(value) and value < declared.minimum:
        return f"is less than {declared.minimum:g}"
    if declared.maximum is not None and _is_number(value) and value > declared.maximum:
        return f"is more than {declared.maximum:g}"
    return None


def _has_type(value: Any, wanted: InputType) -> bool:  # noqa: PLR0911 - one line a type
    match wanted:
        case InputType.STRING:
            return isinstance(value, str)
        case InputType.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case InputType.NUMBER:
            return _is_number(value)
        case InputType.BOOLEAN:
            return isinstance(value, bool)
        case InputType.ARRAY:
            return isinstance(value, list)
        case InputType.OBJECT:
            return isinstance(value, dict)
        case InputType.DATASET:
            return isinstance(value, str) and len(value) <= _LONGEST_DATASET and bool(_DATASET.match(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
