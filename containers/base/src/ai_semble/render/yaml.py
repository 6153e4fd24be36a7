"""YAML, as much of it as a pod needs: tables, lists, text, numbers and truth values, always in the same order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

Value = str | int | bool | Mapping[str, "Value"] | Sequence["Value"]

# What YAML reads as text without quotes, and cannot take for a number, a date or a truth value.
_BARE = re.compile(
    r"(?!(?:true|false|yes|no|on|off|null|y|n)$)[A-Za-z/_][A-Za-z0-9_./=@-]*(?::[A-Za-z0-9_./-]+)*", re.I
)


def dump(value: Mapping[str, Value]) -> str:
    return "\n".join(_table(value)) + "\n"


def _table(table: Mapping[str, Value]) -> Iterator[str]:
    for key, value in table.items():
        yield from _entry(f"{key}:", value)


def _list(items: Sequence[Value]) -> Iterator[str]:
    for item in items:
        if isinstance(item, Mapping) and item:
            first, *rest = _table(item)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
        else:
            yield from _entry("-", item)


def _entry(head: str, value: Value) -> Iterator[str]:
    """A value beside its key or dash when it fits a word, otherwise below it."""
    if isinstance(value, str) or not isinstance(value, Mapping | Sequence):
        yield f"{head} {_scalar(value)}"
    elif not value:
        yield f"{head} {'{}' if isinstance(value, Mapping) else '[]'}"
    elif isinstance(value, Mapping):
        yield head
        yield from (f"  {line}" for line in _table(value))
    elif all(isinstance(item, str | int) for item in value):
        yield f"{head} [{', '.join(_scalar(item) for item in value)}]"  # type: ignore[arg-type]
    else:
        yield head
        yield from (f"  {line}" for line in _list(value))


def _scalar(value: str | int | bool) -> str:
    if isinstance(value, str):
        return value if _BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)
