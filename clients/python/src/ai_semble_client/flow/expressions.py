# Copied by scripts/lib/vendor.py; do not edit.
"""References: `${{ ... }}` in the values of a workflow, JMESPath over what is known so far.

A value that is one reference becomes what that is, of whatever type; in a longer text it becomes part of the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jmespath
from jmespath import functions
from jmespath.exceptions import JMESPathError

from ai_semble_client.flow.faults import Path

ROOTS = ("inputs", "steps", "run", "item", "index")
# Of these, the name behind them is checked.
_NAMED = ("inputs", "steps")
OPEN, _CLOSE = "${{", "}}"
_LONGEST = 10_000
# Compiled, a text takes up to a hundred times its length.
_LONGEST_KEPT = 2000
# What decides where a reference ends: braces, but not those within quotes.
_BRACES = re.compile(
    r"""'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+"|`(?:[^`\\]|\\.)*+`|[{}]""",
    re.DOTALL,
)
# Bytes that a value takes in memory, at least.
_AS_OBJECT = 16
_NODES = (
    "or_expression",
    "and_expression",
    "not_expression",
    "comparator",
    "function_expression",
    "multi_select_list",
    "multi_select_dict",
    "key_val_pair",
)


class BadExpression(Exception):
    """What stands in `${{ }}` cannot be read."""


@dataclass(frozen=True)
class Mention:
    """A name that a reference begins with: `inputs.limit`, `steps.read`, `item`."""

    root: str
    name: str | None = None


@dataclass(frozen=True)
class Expression:
    """One compiled reference."""

    text: str
    parsed: Any = field(repr=False, compare=False)

    def mentions(self) -> frozenset[Mention]:
        return frozenset(_mentions(self.parsed.parsed))


def has_reference(value: Any) -> bool:
    return any(OPEN in text for _, text in texts_in(value))


def texts_in(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text in a value, with its path."""
    match value:
        case str():
            yield path, value
        case dict():
            for name, item in value.items():
                yield from texts_in(item, (*path, name))
        case list():
            for index, item in enumerate(value):
                yield from texts_in(item, (*path, index))


def split(text: str) -> tuple[str | Expression, ...]:
    """The parts of a text, in order. Raises BadExpression."""
    return _split_kept(text) if len(text) <= _LONGEST_KEPT else _split(text)


def _split(text: str) -> tuple[str | Expression, ...]:
    parts: list[str | Expression] = []
    start = 0
    while (opened := text.find(OPEN, start)) >= 0:
        end = _end(text, opened + len(OPEN))
        before, expression = text[start:opened], compile_expression(text[opened + len(OPEN) : end])
        parts += [before, expression] if before else [expression]
        start = end + len(_CLOSE)
    return (*parts, text[start:]) if start < len(text) else tuple(parts)


_split_kept = lru_cache(maxsize=512)(_split)


def _end(text: str, start: int) -> int:
    """Where the `}}` of a reference is that begins here; one may also end two objects of JMESPath."""
    depth = 0
    for found in _BRACES.finditer(text, start):
        if found[0] == "{":
            depth += 1
        elif found[0] == "}" and depth:
            depth -= 1
        elif found[0] == "}" and text.startswith(_CLOSE, found.start()):
            return found.start()
    # Something is not closed, which is told when it is compiled.
    if (end := text.find(_CLOSE, start)) < 0:
        raise BadExpression("`${{` without `}}`")
    return end


def compile_expression(text: str) -> Expression:
    """Raises BadExpression."""
    words = text.strip()
    if not words:
        raise BadExpression("there is nothing between `${{` and `}}`")
    if len(words) > _LONGEST:
        raise BadExpression(f"it is longer than {_LONGEST:,} characters")
    try:
        expression = Expression(words, jmespath.compile(words))
        # Long chains are read, but too deep for what looks through them.
        expression.mentions()
        unknown_functions(expression)
    except (JMESPathError, RecursionError) as error:
        raise BadExpression(f"`{words[:200]}` is not JMESPath: {reason(error)}") from error
    return expression


def reason(error: Exception) -> str:
    return str(error).partition(":\n")[0].partition("\n")[0] or type(error).__name__


def _mentions(node: Mapping[str, Any]) -> Iterator[Mention]:
    """What is looked up in the whole, not in a part of it."""
    kind, children = node["type"], node["children"]
    if kind == "field":
        yield Mention(node["value"])
    elif kind == "subexpression":
        head, second = children[0], children[1] if len(children) > 1 else None
        if head["type"] == "field" and head["value"] in _NAMED and second is not None:
            yield Mention(head["value"], _leading_name(second))
        else:
            yield from _mentions(head)
    elif kind in _NODES:
        for child in children:
            yield from _mentions(child)
    elif kind == "current":
        yield Mention("@")
    elif children and kind != "expref":
        yield from _mentions(children[0])


def _leading_name(node: Mapping[str, Any]) -> str | None:
    while node["type"] != "field":
        if not node["children"]:
            return None
        node = node["children"][0]
    return str(node["value"])


class Functions(functions.Functions):  # type: ignore[misc] # jmespath has no types
    """Those of JMESPath, and what tables and language models ask for; `spend` is told before much is made."""

    def __init__(self, spend: Callable[[int], None]) -> None:
        super().__init__()
        self._spend = spend

    @functions.signature({"types": ["string"]}, {"types": ["array-string"]})  # type: ignore[untyped-decorator]
    def _func_join(self, separator: str, texts: list[str]) -> str:
        self._spend(len(separator) * len(texts))
        return separator.join(texts)

    @functions.signature({"types": ["object"]})  # type: ignore[untyped-decorator]
    def _func_records(self, columns: dict[str, Any]) -> list[dict[str, Any]]:
        """Lists of one length, by name, as a list of objects."""
        lists = {name: column for name, column in columns.items() if isinstance(column, list)}
        if len(lists) < len(columns):
            raise ValueError("records() takes an object of lists")
        lengths = {name: len(column) for name, column in lists.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the lists of records() differ in length: {lengths}")
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]

    @functions.signature({"types": ["string"]})  # type: ignore[untyped-decorator]
    def _func_from_json(self, text: str) -> Any:
        self._spend(_AS_OBJECT * len(text))
        try:
            return json.loads(text)
        except ValueError as error:
            raise ValueError(f"from_json() was given what is not JSON ({error})") from error

    @functions.signature({"types": ["string"]}, {"types": ["string"]})  # type: ignore[untyped-decorator]
    def _func_split(self, separator: str, text: str) -> list[str]:
        self._spend(_AS_OBJECT * (text.count(separator) + 1))
        return text.split(separator) if separator else list(text)


FUNCTIONS = tuple(sorted(Functions.FUNCTION_TABLE))


def unknown_functions(expression: Expression) -> list[str]:
    """Functions that there are not."""
    return sorted({name for name in _called(expression.parsed.parsed) if name not in FUNCTIONS})


def _called(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "function_expression":
        yield node["value"]
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _called(child)


_REFERENCE = re.compile(r"^\s*\$\{\{.*\}\}\s*$", re.DOTALL)


def is_reference(value: Any) -> bool:
    """Whether a value is a text that is one reference."""
    if not isinstance(value, str) or not _REFERENCE.match(value):
        return False
    try:
        return len(split(value.strip())) == 1
    except BadExpression:
        return False
