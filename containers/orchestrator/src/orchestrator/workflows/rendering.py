"""What references become, and how much they may make on the way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jmespath
import orjson
from jmespath import visitor
from jmespath.exceptions import JMESPathError

from orchestrator.workflows.expressions import OPEN, Expression, Functions, reason, split
from orchestrator.workflows.faults import Path, dotted

# What all references of one call may make, as JSON, on the way, too: `[@,@] | [@,@] | ...` doubles with each part.
MOST_MADE = 64 * 2**20
# So many bytes are made in the time of one step, about.
_A_VISIT = 32


class EvaluationFailed(Exception):
    """A reference cannot be worked out with the values that there are."""


class Room:
    """What references may still make. Each value is measured before another is made of it, so none is ever large."""

    def __init__(self, left: int = MOST_MADE) -> None:
        self._left = left

    def spend(self, amount: int) -> None:
        """Raises ValueError."""
        self._left -= amount
        if self._left < 0:
            raise ValueError(f"it makes more than {MOST_MADE // 2**20} MiB, or takes too long")

    def take(self, value: Any) -> None:
        """Raises ValueError, TypeError."""
        match value:
            case str():
                self.spend(len(value))
            case list() | dict():
                self.spend(len(orjson.dumps(value)))


def render(value: Any, known: Mapping[str, Any], path: Path = (), room: Room | None = None) -> Any:
    """The value with all references replaced. Raises EvaluationFailed, which names the path."""
    room = room or Room()
    match value:
        case str() if OPEN in value:
            try:
                return _render_text(value, known, room)
            except EvaluationFailed as error:
                raise EvaluationFailed(f"{dotted(path)}: {error}" if path else str(error)) from error
        case dict():
            return {name: render(item, known, (*path, name), room) for name, item in value.items()}
        case list():
            return [render(item, known, (*path, index), room) for index, item in enumerate(value)]
        case _:
            return value


def is_true(value: Any) -> bool:
    """As in JMESPath: false are null, false, and an empty text, list or object. Zero is true there."""
    return not (value is None or value is False or value in ("", [], {}))


def _render_text(text: str, known: Mapping[str, Any], room: Room) -> Any:
    parts = split(text.strip())
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return _search(parts[0], known, room)
    return "".join(part if isinstance(part, str) else _as_text(part, known, room) for part in split(text))


def _as_text(expression: Expression, known: Mapping[str, Any], room: Room) -> str:
    value = _search(expression, known, room)
    if value is None:
        raise EvaluationFailed(f"`{expression.text}` is null, so it cannot be part of a text")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _search(expression: Expression, known: Mapping[str, Any], room: Room) -> Any:
    try:
        found = _Interpreter(room).visit(expression.parsed.parsed, known)
        room.take(found)
    except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise EvaluationFailed(f"`{expression.text}`: {reason(error)}") from error
    return found


class _Interpreter(visitor.TreeInterpreter):  # type: ignore[misc] # jmespath has no types
    """That of JMESPath, within its room."""

    def __init__(self, room: Room) -> None:
        super().__init__(jmespath.Options(custom_functions=Functions(room.spend)))
        self._room = room

    def visit(self, node: Mapping[str, Any], *values: Any) -> Any:
        self._room.spend(_A_VISIT)
        return super().visit(node, *values)

    def visit_function_expression(self, node: Mapping[str, Any], value: Any) -> Any:
        made = super().visit_function_expression(node, value)
        self._room.take(made)
        return made

    def visit_literal(self, node: Mapping[str, Any], value: Any) -> Any:
        self._room.take(node["value"])
        return super().visit_literal(node, value)

    def visit_multi_select_list(self, node: Mapping[str, Any], value: Any) -> Any:
        made = super().visit_multi_select_list(node, value)
        for item in made or ():
            self._room.take(item)
        return made

    def visit_multi_select_dict(self, node: Mapping[str, Any], value: Any) -> Any:
        made = super().visit_multi_select_dict(node, value)
        for item in (made or {}).values():
            self._room.take(item)
        return made
