"""`analyze`: what is in each column, in two passes over the table, whatever the number of columns.

The first pass finds counts, ranges, quantiles and candidates for the most frequent values; the second counts
those candidates and fills the histograms. Up to EXACT_ROWS rows, distinct values are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from ai_semble.errors import InvalidRequest
from ai_semble.schemas.data import Analyze
from data_processor.engine.rows import plain
from data_processor.engine.session import Session
from data_processor.operations import findings
from data_processor.operations.columns import column
from data_processor.operations.facts import QUANTILES, Facts, first_pass, measurable, second_pass
from data_processor.operations.frame import Frame

EXACT_ROWS = 1_000_000
MAX_COLUMNS = 500
_COLUMNS_AT_ONCE = 50


def profile(operation: Analyze, frame: Frame, session: Session) -> dict[str, Any]:
    """A Profile."""
    table, types = frame.table, session.types(frame.table)
    names = operation.columns or list(table.columns)
    for name in names:
        column(table, name)
    if len(names) > MAX_COLUMNS:
        raise InvalidRequest(
            f"The table has {len(names)} columns; choose {MAX_COLUMNS} at most with `columns`"
        )
    rows = session.count(table) if frame.rows is None else frame.rows
    exact = rows <= EXACT_ROWS
    columns = [
        _column_profile(name, types[name], facts, operation, exact=exact)
        for chunk in _chunks(names, _COLUMNS_AT_ONCE)
        for name, facts in _facts(table, chunk, operation, session, rows, exact=exact).items()
    ]
    duplicates = rows - session.count(table.distinct()) if exact and rows else None
    return {
        "rows": rows,
        "columns": columns,
        "duplicate_rows": 0 if rows == 0 else duplicates,
        "warnings": findings.of_table(rows, duplicates or 0),
    }


def _chunks(names: Sequence[str], size: int) -> list[list[str]]:
    rest = iter(names)
    return [chunk for _ in range(0, len(names), size) if (chunk := list(islice(rest, size)))]


def _facts(
    table: ibis.Table, names: list[str], operation: Analyze, session: Session, rows: int, *, exact: bool
) -> dict[str, Facts]:
    kinds: dict[str, dt.DataType] = {name: table[name].type() for name in names}
    asked = {
        f"{name_number}:{key}": expression
        for name_number, name in enumerate(names)
        for key, expression in first_pass(table[name], operation.top, exact=exact).items()
    }
    found = session.row(table.aggregate(**asked))
    facts = {name: Facts(kinds[name], rows, _part(found, number)) for number, name in enumerate(names)}
    asked = {
        f"{number}:{key}": expression
        for number, name in enumerate(names)
        for key, expression in second_pass(table[name], facts[name], operation.bins, exact=exact).items()
    }
    if asked:
        found = session.row(table.aggregate(**asked))
        facts = {name: facts[name].with_more(_part(found, number)) for number, name in enumerate(names)}
    if exact and operation.top:
        facts = {
            name: facts[name].with_more({"top": _most_frequent(table[name], operation.top, session)})
            for name in names
        }
    return facts


def _part(found: Mapping[str, Any], number: int) -> dict[str, Any]:
    prefix = f"{number}:"
    return {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}


def _most_frequent(value: Any, most: int, session: Session) -> list[tuple[Any, int]]:
    table = value.as_table().rename({"value": value.get_name()})
    table = table.filter(table["value"].notnull())
    counted = table.group_by("value").aggregate(n=table.count())
    return [
        (item, number)
        for item, number in session.fetch(counted.order_by([ibis.desc("n"), "value"]).limit(most))
    ]


def _column_profile(name: str, kind: str, facts: Facts, operation: Analyze, *, exact: bool) -> dict[str, Any]:
    rows, nulls = facts.rows, facts.nulls
    return {
        "name": name,
        "type": kind,
        "nulls": nulls,
        "null_fraction": round(nulls / rows, 6) if rows else 0.0,
        "distinct": facts.distinct,
        "distinct_is_estimate": not exact,
        "min": plain(facts.found.get("min")),
        "max": plain(facts.found.get("max")),
        "numbers": _numbers(facts) if facts.is_number else None,
        "text": _texts(facts) if facts.kind.is_string() else None,
        "top": [{"value": plain(value), "count": count} for value, count in facts.top[: operation.top]],
        "histogram": facts.bars if operation.bins and measurable(facts.kind) else None,
        "warnings": findings.of_column(facts),
    }


def _numbers(facts: Facts) -> dict[str, Any]:
    quantiles = facts.found.get("quantiles") or [None] * len(QUANTILES)
    return {
        "mean": plain(facts.found.get("mean")),
        "stddev": plain(facts.found.get("stddev")),
        "quantiles": {str(share): plain(value) for share, value in zip(QUANTILES, quantiles, strict=True)},
    }


def _texts(facts: Facts) -> dict[str, Any]:
    return {f"{key}_length": plain(facts.found.get(f"{key}_length")) for key in ("min", "mean", "max")}
