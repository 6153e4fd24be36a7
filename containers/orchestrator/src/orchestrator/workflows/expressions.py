"""References: `${{ ... }}` in the values of a workflow, JMESPath over what is known so far.

A value that is one reference becomes what that is, of whatever type; in a longer text it becomes part of the text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jmespath
from jmespath import functions
from jmespath.exceptions import JMESPathError

from orchestrator.workflows.bounds import Interpreter, check_length, weigh
from orchestrator.workflows.faults import Path, dotted

ROOTS = ("inputs", "steps", "run", "item", "index")
# Of these, the name behind them is checked.
_NAMED = ("inputs", "steps")
_OPEN, _CLOSE = "${{", "}}"
_LONGEST = 10_000
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


_FAILURES = (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError, MemoryError)


class BadExpression(Exception):
    """What stands in `${{ }}` cannot be read."""


class EvaluationFailed(Exception):
    """A reference cannot be worked out with the values that there are."""


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

    def search(self, known: Mapping[str, Any]) -> Any:
        """Raises EvaluationFailed."""
        try:
            value = Interpreter(jmespath.Options(custom_functions=_Functions())).visit(
                self.parsed.parsed, known
            )
            weigh(value)
        except _FAILURES as error:
            raise EvaluationFailed(f"`{self.text}`: {_reason(error)}") from error
        return value


def has_reference(value: Any) -> bool:
    return any(_OPEN in text for _, text in texts_in(value))


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


@lru_cache(maxsize=2048)
def split(text: str) -> tuple[str | Expression, ...]:
    """The parts of a text, in order. Raises BadExpression."""
    parts: list[str | Expression] = []
    rest = text
    while _OPEN in rest:
        before, _, after = rest.partition(_OPEN)
        expression, rest = _first(after)
        parts += [before, expression] if before else [expression]
    return (*parts, rest) if rest else tuple(parts)


def render(value: Any, known: Mapping[str, Any], path: Path = ()) -> Any:
    """The value with all references replaced. Raises EvaluationFailed, which names the path."""
    match value:
        case str() if _OPEN in value:
            try:
                return _render_text(value, known)
            except EvaluationFailed as error:
                raise EvaluationFailed(f"{dotted(path)}: {error}" if path else str(error)) from error
        case dict():
            return {name: render(item, known, (*path, name)) for name, item in value.items()}
        case list():
            return [render(item, known, (*path, index)) for index, item in enumerate(value)]
        case _:
            return value


def is_true(value: Any) -> bool:
    """As in JMESPath: false are null, false, and an empty text, list or object. Zero is true there."""
    return not (value is None or value is False or value in ("", [], {}))


def _render_text(text: str, known: Mapping[str, Any]) -> Any:
    parts = split(text.strip())
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return parts[0].search(known)
    return "".join(part if isinstance(part, str) else _as_text(part, known) for part in split(text))


def _as_text(expression: Expression, known: Mapping[str, Any]) -> str:
    value = expression.search(known)
    if value is None:
        raise EvaluationFailed(f"`{expression.text}` is null, so it cannot be part of a text")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _first(after: str) -> tuple[Expression, str]:
    """The reference at the beginning, and what comes behind it. `}}` may also end two objects of JMESPath."""
    end = after.find(_CLOSE)
    if end < 0:
        raise BadExpression("`${{` without `}}`")
    first_error: BadExpression | None = None
    while end >= 0:
        try:
            return compile_expression(after[:end]), after[end + len(_CLOSE) :]
        except BadExpression as error:
            first_error = first_error or error
        end = after.find(_CLOSE, end + 1)
        if end > _LONGEST:
            break
    assert first_error is not None  # noqa: S101 - the loop ran
    raise first_error


@lru_cache(maxsize=2048)
def compile_expression(text: str) -> Expression:
    """Raises BadExpression."""
    words = text.strip()
    if not words:
        raise BadExpression("there is nothing between `${{` and `}}`")
    if len(words) > _LONGEST:
        raise BadExpression(f"it is longer than {_LONGEST:,} characters")
    try:
        parsed = jmespath.compile(words)
    except (JMESPathError, RecursionError) as error:
        raise BadExpression(f"`{words[:200]}` is not JMESPath: {_reason(error)}") from error
    return Expression(words, parsed)


def _reason(error: Exception) -> str:
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


class _Functions(functions.Functions):  # type: ignore[misc] # jmespath has no types
    """Those of JMESPath, and what tables and language models ask for."""

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

    @functions.signature({"types": ["string"]}, {"types": ["array-string"]})  # type: ignore[untyped-decorator]
    def _func_join(self, separator: str, texts: list[str]) -> str:
        check_length(sum(map(len, texts)) + len(separator) * len(texts))
        return separator.join(texts)

    @functions.signature({"types": []})  # type: ignore[untyped-decorator]
    def _func_to_string(self, value: Any) -> str:
        weigh(value)
        return (
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        )

    @functions.signature({"types": ["string"]})  # type: ignore[untyped-decorator]
    def _func_from_json(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise ValueError(f"from_json() was given what is not JSON ({error})") from error

    @functions.signature({"types": ["string"]}, {"types": ["string"]})  # type: ignore[untyped-decorator]
    def _func_split(self, separator: str, text: str) -> list[str]:
        return text.split(separator) if separator else list(text)


FUNCTIONS = tuple(sorted(_Functions.FUNCTION_TABLE))


def unknown_functions(expression: Expression) -> list[str]:
    """Functions that there are not."""
    return sorted({name for name in _called(expression.parsed.parsed) if name not in FUNCTIONS})


def _called(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "function_expression":
        yield node["value"]
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _called(child)
