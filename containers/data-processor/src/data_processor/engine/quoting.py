"""Names and texts in SQL. Whatever stands in a statement and is not ours goes through here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """A text, number, truth value, list, or mapping from texts."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case Mapping():
            return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(literal, value)) + "]"
        case _:
            return "'" + str(value).replace("'", "''") + "'"


def call(function: str, path: Path, options: Mapping[str, Any]) -> str:
    """A table function that reads a file."""
    given = "".join(f", {name} = {literal(value)}" for name, value in options.items())
    return f"{function}({literal(path)}{given})"


def select(what: str, source: str) -> str:
    """Both parts must be SQL made by this package."""
    return f"SELECT {what} FROM {source}"  # noqa: S608 - the one place where parts are put together
