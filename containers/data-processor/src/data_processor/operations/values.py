"""JSON values as literals of a column's type."""

from __future__ import annotations

import datetime as pydt
import uuid
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import orjson

from data_processor.errors import TypeMismatch

_LARGEST = 2**63


def literal_for(value: Any, kind: dt.DataType, name: str) -> ibis.Value:
    """A literal that can be compared with a column of this type. Raises TypeMismatch in words."""
    try:
        found = _convert(value, kind)
    except (ValueError, TypeError):
        found = None
    if found is None:
        raise TypeMismatch(f"{_shown(value)} does not fit the column `{name}`, which is {words(kind)}")
    return found


def comparable(column: ibis.Column) -> ibis.Column:
    """The column as it can be compared with a literal: JSON by its text."""
    kind = column.type()
    return column.cast(dt.string) if kind.is_json() or kind.is_uuid() else column


def _convert(value: Any, kind: dt.DataType) -> ibis.Value | None:  # noqa: PLR0911 - one a type
    if value is None:
        return None
    if kind.is_json():
        return ibis.literal(orjson.dumps(value).decode())
    if isinstance(value, bool):
        return ibis.literal(value) if kind.is_boolean() else None
    if isinstance(value, int | float):
        return _number(value) if kind.is_numeric() and not kind.is_boolean() else None
    if not isinstance(value, str):
        return None
    if kind.is_string():
        return ibis.literal(value, type=dt.string)
    if kind.is_uuid():
        return ibis.literal(str(uuid.UUID(value)))
    return _moment(value, kind)


def _number(value: float) -> ibis.Value:
    if isinstance(value, int) and abs(value) >= _LARGEST:
        return ibis.literal(float(value))
    return ibis.literal(value)


def _moment(text: str, kind: dt.DataType) -> ibis.Value | None:
    if kind.is_date() and len(text) == len("2026-01-31"):
        return ibis.literal(pydt.date.fromisoformat(text))
    if kind.is_time():
        return ibis.literal(pydt.time.fromisoformat(text))
    if kind.is_date() or kind.is_timestamp():
        moment = pydt.datetime.fromisoformat(text)
        zone = getattr(kind, "timezone", None)
        if zone is None and moment.tzinfo is not None:
            return None
        if zone is not None:
            moment = moment.replace(tzinfo=moment.tzinfo or pydt.UTC).astimezone(pydt.UTC)
            return ibis.literal(moment, type=dt.Timestamp("UTC"))
        return ibis.literal(moment, type=dt.timestamp)
    return None


def words(kind: dt.DataType) -> str:
    """A type as one says it."""
    names = (
        (kind.is_boolean, "true or false"),
        (kind.is_integer, "an integer"),
        (kind.is_numeric, "a number"),
        (kind.is_string, "text"),
        (kind.is_date, "a date"),
        (kind.is_time, "a time of day"),
        (kind.is_interval, "an interval"),
        (kind.is_array, "a list"),
        (kind.is_struct, "an object"),
        (kind.is_map, "a map"),
        (kind.is_json, "JSON"),
        (kind.is_uuid, "a UUID"),
        (kind.is_binary, "binary"),
        (kind.is_null, "null"),
    )
    if kind.is_timestamp():
        return "a date and time" + (" with time zone" if getattr(kind, "timezone", None) else "")
    return next((name for test, name in names if test()), str(kind))


def _shown(value: Any) -> str:
    text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= 80 else text[:79] + "…"
