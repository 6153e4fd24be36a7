"""`validate`: which rows break which rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from ai_semble.schemas.data import Rule, Validate
from data_processor.engine.rows import encode
from data_processor.engine.session import Session, header
from data_processor.errors import TypeMismatch
from data_processor.operations.builtins import regexp_full_match
from data_processor.operations.columns import column, free_name, type_named
from data_processor.operations.expressions import compile_condition
from data_processor.operations.shaping import invalid
from data_processor.operations.values import comparable, literal_for, words


@dataclass(frozen=True)
class _Check:
    """A rule, its name, and what is true of a row that breaks it."""

    rule: Rule
    name: str
    broken: ibis.BooleanValue


def validate_rows(operation: Validate, table: ibis.Table, session: Session) -> dict[str, Any]:
    """A ValidationResult. All rules are counted in one pass; rows are read only of those that are broken."""
    number = free_name(table, "__row")
    rows = session.numbered(table, number)
    checks = [_check(rule, rows, position, session) for position, rule in enumerate(operation.rules)]
    flags = rows.select(**{f"broken{at}": check.broken for at, check in enumerate(checks)})
    counts = session.row(flags.aggregate(**{name: flags[name].sum() for name in flags.columns}))
    violations = [
        _violation(check, int(count), rows, number, operation.examples, session)
        for at, check in enumerate(checks)
        if (count := counts[f"broken{at}"])
    ]
    return {"valid": not violations, "rules": len(checks), "violations": violations}


def _violation(
    check: _Check, count: int, rows: ibis.Table, number: str, examples: int, session: Session
) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    if examples:
        broken = rows.filter(check.broken).order_by(number).limit(examples)
        cursor = session.run(session.sql(broken))
        names, types = header(cursor)
        values = cursor.fetchall()
        at = names.index(number)
        encoded = encode(
            [name for name in names if name != number],
            [kind for name, kind in zip(names, types, strict=True) if name != number],
            [(*row[:at], *row[at + 1 :]) for row in values],
            session.limits.max_answer,
        )
        found = [{"row": row[at], "values": shown} for row, shown in zip(values, encoded, strict=True)]
    return {"rule": check.name, "check": check.rule.check, "count": count, "rows": found}


def _check(rule: Rule, table: ibis.Table, position: int, session: Session) -> _Check:
    build = _BUILDERS[rule.check]
    broken = build(rule, table, f"rules.{position}", session)
    subject = rule.column or ", ".join(rule.columns or []) or rule.expression or ""
    return _Check(rule, rule.name or f"{subject}: {rule.check}", ibis.coalesce(broken, ibis.literal(False)))


def _column(rule: Rule, table: ibis.Table, place: str) -> Any:
    if rule.column is None:
        raise invalid(f"{place}.column", f"`{rule.check}` needs a `column`")
    return column(table, rule.column)


def _not_null(rule: Rule, table: ibis.Table, place: str, _: Session) -> Any:
    return _column(rule, table, place).isnull()


def _unique(rule: Rule, table: ibis.Table, place: str, _: Session) -> Any:
    """As in SQL, nulls are not equal to each other."""
    names = rule.columns or ([rule.column] if rule.column else [])
    if not names:
        raise invalid(f"{place}.columns", "`unique` needs `columns`, or one `column`")
    keys = [column(table, name) for name in names]
    complete = ibis.and_(*(key.notnull() for key in keys))
    return complete & (table.count().over(ibis.window(group_by=keys)) > 1)


def _one_of(rule: Rule, table: ibis.Table, place: str, _: Session) -> Any:
    value = _column(rule, table, place)
    if not rule.values:
        raise invalid(f"{place}.values", "`one_of` needs `values`")
    allowed = [literal_for(item, value.type(), str(rule.column)) for item in rule.values if item is not None]
    return comparable(value).notin(allowed)


def _range(rule: Rule, table: ibis.Table, place: str, _: Session) -> Any:
    return _outside(_column(rule, table, place), rule, place)


def _length(rule: Rule, table: ibis.Table, place: str, _: Session) -> Any:
    value = _column(rule, table, place)
    if not (value.type().is_string() or value.type().is_array()):
        raise TypeMismatch(f"The column `{rule.column}` is {words(value.type())}, which has no length")
    return _outside(value.length(), rule, place)


def _outside(value: Any, rule: Rule, place: str) -> Any:
    if rule.min is None and rule.max is None:
        raise invalid(f"{place}.min", f"`{rule.check}` needs `min`, `max` or both")
    kind, name = value.type(), str(rule.column)
    low = value < literal_for(rule.min, kind, name) if rule.min is not None else ibis.literal(False)
    high = value > literal_for(rule.max, kind, name) if rule.max is not None else ibis.literal(False)
    return low | high


def _matches(rule: Rule, table: ibis.Table, place: str, _: Session) -> Any:
    value = _column(rule, table, place)
    if rule.pattern is None:
        raise invalid(f"{place}.pattern", "`matches` needs a `pattern`")
    return ~regexp_full_match(value.cast(dt.string), rule.pattern)


def _type(rule: Rule, table: ibis.Table, place: str, _: Session) -> Any:
    value = _column(rule, table, place)
    if rule.type is None:
        raise invalid(f"{place}.type", "`type` needs a `type`")
    return value.notnull() & value.try_cast(type_named(rule.type)).isnull()


def _expression(rule: Rule, table: ibis.Table, place: str, session: Session) -> Any:
    if rule.expression is None:
        raise invalid(f"{place}.expression", "`expression` needs an `expression`")
    return ~compile_condition(rule.expression, table, session.connection)


_BUILDERS: dict[str, Callable[[Rule, ibis.Table, str, Session], Any]] = {
    "not_null": _not_null,
    "unique": _unique,
    "one_of": _one_of,
    "range": _range,
    "length": _length,
    "matches": _matches,
    "type": _type,
    "expression": _expression,
}
