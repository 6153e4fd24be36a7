# Copied by scripts/lib/vendor.py; do not edit.
"""How much a reference may work, and how large what comes of it may be.

`@ | [@, @]` thirty times over is a short text and a value of gigabytes, once it is written out. So every step of an
evaluation is charged, and every value is weighed before it is made into a text.
"""

from __future__ import annotations

from typing import Any

from jmespath import visitor

# Measured: some seconds of one core.
_MOST_WORK = 32 * 2**20
_A_VISIT, _AN_ELEMENT = 16, 16
MOST_VALUES = 500_000
MOST_CHARACTERS = 16 * 2**20


class TooMuch(ValueError):
    """The evaluation would take too long, or its value be too large."""


class Interpreter(visitor.TreeInterpreter):  # type: ignore[misc] # jmespath has no types
    """JMESPath's own, which stops when too much was done."""

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self._left = _MOST_WORK

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        result = super().visit(node, *args, **kwargs)
        made = node["type"] not in ("field", "current", "identity", "literal", "index", "subexpression")
        self._left -= _A_VISIT + (_cost(result) if made else 0)
        if self._left < 0:
            raise TooMuch("it takes too long; let a `data` step work on tables")
        return result


def weigh(value: Any) -> None:
    """Raises TooMuch for a value that would be too large as JSON, however small it is in memory."""
    values = characters = 0
    left = [value]
    while left:
        item = left.pop()
        values += 1
        match item:
            case str():
                characters += len(item)
            case dict():
                characters += sum(map(len, item))
                left.extend(item.values())
            case list():
                left.extend(item)
        if values + len(left) > MOST_VALUES or characters > MOST_CHARACTERS:
            raise TooMuch("what comes out is too large; let a `data` step work on tables")


def check_length(characters: int) -> None:
    if characters > MOST_CHARACTERS:
        raise TooMuch("the text that comes out is too long")


def _cost(result: Any) -> int:
    match result:
        case str():
            return len(result)
        case list() | dict():
            return _AN_ELEMENT * len(result)
        case _:
            return 0
