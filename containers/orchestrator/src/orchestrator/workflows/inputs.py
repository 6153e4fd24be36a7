"""The inputs of a run: given, by default, and whether they are what the workflow declares. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_semble.errors import FieldProblem
from ai_semble.schemas.workflows import Input
from orchestrator.workflows.errors import InvalidInputs
from orchestrator.workflows.faults import nearest
from orchestrator.workflows.kinds import wrong


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
