"""Types of JSON values. DuckDB infers them, except for dates.

For a date it would take `01-02-2024` too, of which nobody knows the month; we take only ISO 8601.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

from data_processor.engine.quoting import call, identifier, literal, select
from data_processor.engine.reading import FoundColumn
from data_processor.errors import UnreadableData

_NEVER = "never %Y"
_DAY = r"\d{4}-\d{2}-\d{2}"
_CLOCK = r"\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?"
_PATTERNS = (
    ("DATE", _DAY),
    ("TIMESTAMP", rf"{_DAY}([T ]{_CLOCK})?"),
    ("TIMESTAMP WITH TIME ZONE", rf"{_DAY}[T ]{_CLOCK} ?(Z|[+-]\d{{2}}(:?\d{{2}})?)"),
)


def json_scan(path: Path, layout: str, compression: str = "none") -> str:
    """Reads JSON with types inferred from all of it; texts stay texts."""
    options = {
        "format": layout,
        "compression": compression,
        "sample_size": -1,
        "maximum_depth": 12,
        "map_inference_threshold": -1,
        "field_appearance_threshold": 0,
        "dateformat": _NEVER,
        "timestampformat": _NEVER,
    }
    return call("read_json", path, options)


def infer(connection: duckdb.DuckDBPyConnection, scan: str) -> tuple[FoundColumn, ...]:
    """The columns of a JSON scan, dates and times included. Raises UnreadableData."""
    found = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE FROM {scan}").fetchall()}
    if "" in found:
        raise UnreadableData("A record has a field without a name")
    texts = [name for name, kind in found.items() if kind == "VARCHAR"]
    found |= _dates_among(connection, scan, texts)
    return tuple(FoundColumn(name, "VARCHAR" if kind == '"NULL"' else kind) for name, kind in found.items())


def check_cases(names: Iterable[str]) -> None:
    """Raises UnreadableData for names that SQL cannot tell apart."""
    seen: dict[str, str] = {}
    for name in sorted(names):
        if (other := seen.setdefault(name.casefold(), name)) is not name:
            raise UnreadableData(f"The fields `{other}` and `{name}` differ only in upper and lower case")


def check_numbered(columns: Iterable[FoundColumn], rows: int) -> None:
    """The same for a file, of which only this trace is left: `a_1`, found with a type but without any value."""
    found = {column.name.casefold() for column in columns}
    for column in columns:
        base, _, number = column.name.rpartition("_")
        if (
            column.nulls == rows
            and column.type != "VARCHAR"
            and number.isdigit()
            and base.casefold() in found
        ):
            raise UnreadableData(f"There are fields that differ from `{base}` only in upper and lower case")


def _dates_among(connection: duckdb.DuckDBPyConnection, scan: str, texts: list[str]) -> dict[str, str]:
    """Type by name of the text columns in which every value is a date or time."""
    tests = [
        f"bool_and(regexp_full_match({identifier(name)}, {literal(pattern)})"
        f" AND TRY_CAST({identifier(name)} AS {kind}) IS NOT NULL)"
        f" FILTER (WHERE {identifier(name)} IS NOT NULL)"
        for name in texts
        for kind, pattern in _PATTERNS
    ]
    if not tests:
        return {}
    verdicts = iter(connection.execute(select(", ".join(tests), scan)).fetchall()[0])
    fitting = [(name, kind) for name in texts for kind, _ in _PATTERNS if next(verdicts)]
    return dict(reversed(fitting))  # the first that fits is the narrowest
