"""Conditions as Ibis expressions."""

from __future__ import annotations

from functools import reduce
from operator import and_, or_
from typing import Any

import duckdb
import ibis
import ibis.expr.datatypes as dt

from ai_semble.errors import InvalidRequest
from ai_semble.schemas.data_conditions import AllOf, AnyOf, Comparison, Condition, Not
from ai_semble.schemas.data_parts import Where
from data_processor.errors import TypeMismatch
from data_processor.operations.builtins import regexp_matches
from data_processor.operations.columns import column
from data_processor.operations.expressions import compile_condition
from data_processor.operations.values import comparable, literal_for, words

_MAX_DEPTH = 50


def condition(where: Where, table: ibis.Table, connection: duckdb.DuckDBPyConnection) -> ibis.BooleanValue:
    """True for the rows that fulfil a condition, given as a structure or as text."""
    if isinstance(where, str):
        return compile_condition(where, table, connection)
    return _compile(where, table, 0)


def _compile(part: Condition, table: ibis.Table, depth: int) -> ibis.BooleanValue:
    if depth > _MAX_DEPTH:
        raise InvalidRequest(f"The condition is nested more than {_MAX_DEPTH} levels deep")
    match part:
        case AllOf():
            return reduce(and_, (_compile(item, table, depth + 1) for item in part.and_))
        case AnyOf():
            return reduce(or_, (_compile(item, table, depth + 1) for item in part.or_))
        case Not():
            return ~_compile(part.not_, table, depth + 1)
        case Comparison():
            return _compare(part, column(table, part.column))


def _compare(part: Comparison, found: ibis.Column) -> ibis.BooleanValue:  # noqa: PLR0911 - one an operator
    match part.op:
        case "is_null":
            return found.isnull()
        case "not_null":
            return found.notnull()
        case "contains" | "starts_with" | "ends_with" | "matches":
            return _compare_text(part, found)
        case "in" | "not_in" | "between":
            return _compare_many(part, found)
    value = literal_for(part.value, found.type(), part.column)
    left = comparable(found)
    match part.op:
        case "eq":
            return left == value
        case "ne":
            return left != value
        case "lt":
            return left < value
        case "le":
            return left <= value
        case "gt":
            return left > value
        case "ge":
            return left >= value


def _compare_text(part: Comparison, found: ibis.Column) -> ibis.BooleanValue:
    if not found.type().is_string():
        raise TypeMismatch(f"`{part.op}` needs text, and the column `{part.column}` is {words(found.type())}")
    value = literal_for(part.value, dt.string, part.column)
    match part.op:
        case "contains":
            return found.contains(value)
        case "starts_with":
            return found.startswith(value)
        case "ends_with":
            return found.endswith(value)
        case _:
            result: ibis.BooleanValue = regexp_matches(found, value)
            return result


def _compare_many(part: Comparison, found: ibis.Column) -> ibis.BooleanValue:
    values = _list(part.value, part.op)
    literals = [literal_for(value, found.type(), part.column) for value in values]
    left = comparable(found)
    if part.op == "between":
        if len(literals) != 2:
            raise InvalidRequest("`between` takes a list of two values")
        return left.between(*literals)
    return left.isin(literals) if part.op == "in" else left.notin(literals)


def _list(value: Any, operator: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise InvalidRequest(f"`{operator}` takes a list of values")
    return value
