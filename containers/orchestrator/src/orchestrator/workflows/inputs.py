"""The inputs of a run: given, by default, and whether they are what the workflow declares. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ai_semble.errors import FieldProblem
from ai_semble.schemas.data_parts import DATASET_NAME
from ai_semble.schemas.workflows import Input, InputType
from orchestrator.workflows.errors import InvalidInputs
from orchestrator.workflows.faults import nearest

_DATASET = re.compile(DATASET_NAME)
_LONGEST_DATASET = 64


def complete(given: Mapping[str, Any], declared: Mapping[str, Input]) -> dict[str, Any]:
    """All inputs by name, with defaults. Raises InvalidInputs."""
    problems = [
        FieldProblem(f"inputs.{name}", f"is no input of this workflow. {nearest(name, declared)}")
        for name in given
        if name not in declared
    ]
    known: dict[str, Any] = {}
    for name, declaration in declared.items():
        if name not in given and declaration.is_required:
            problems.append(FieldProblem(f"inputs.{name}", "is missing, and has no default"))
            continue
        known[name] = given.get(name, declaration.default)
        if name in given and (reason := wrong(known[name], declaration)):
            problems.append(FieldProblem(f"inputs.{name}", reason))
    if problems:
        told = "; ".join(f"{problem.field}: {problem.message}" for problem in problems[:20])
        raise InvalidInputs(told, fields=problems[:20])
    return known


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
