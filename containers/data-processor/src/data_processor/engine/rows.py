"""Rows as JSON: every number with all its digits, and nothing that JSON does not have.

NaN and infinity are null. Dates and times are ISO 8601, binary is base64, intervals are ISO 8601 durations.
"""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import orjson

from data_processor.errors import ResultTooLarge

_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
_64_BITS = range(-(2**63), 2**64)
_AS_THEY_ARE = frozenset(
    [
        "BOOLEAN",
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "VARCHAR",
        "FLOAT",
        "DOUBLE",
        "UUID",
    ]
)


def encode(
    names: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[Any]], most_bytes: int
) -> list[orjson.Fragment]:
    """Each row as a JSON object. Raises ResultTooLarge above `most_bytes` altogether."""
    plain = [_conversion(kind) for kind in types]
    encoded, length = [], 0
    for row in rows:
        values = {name: convert(value) for name, convert, value in zip(names, plain, row, strict=True)}
        text = dumps(values)
        length += len(text) + 1
        if length > most_bytes:
            raise ResultTooLarge(f"The answer is longer than {most_bytes} bytes")
        encoded.append(orjson.Fragment(text))
    return encoded


def dumps(value: Any) -> bytes:
    """JSON of values that `plain` or orjson knows."""
    return orjson.dumps(value, default=plain, option=_OPTIONS)


def _conversion(kind: str) -> Callable[[Any], Any]:
    if kind in _AS_THEY_ARE:
        return _itself
    return _parsed if kind == "JSON" else plain


def _itself(value: Any) -> Any:
    return value


def _parsed(text: str | None) -> Any:
    """A JSON value from DuckDB, which also takes NaN for JSON."""
    try:
        return None if text is None else orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def plain(value: Any) -> Any:  # noqa: PLR0911 - one a type
    """A value from DuckDB as something that orjson writes as we promise."""
    match value:
        case None | bool() | str() | float():
            return value
        case int():
            return value if value in _64_BITS else orjson.Fragment(str(value))
        case Decimal():
            return orjson.Fragment(format(value, "f")) if value.is_finite() else None
        case dt.datetime():
            return value.isoformat().replace("+00:00", "Z")
        case dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return _duration(value)
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case dict():
            return {_key(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case uuid.UUID():
            return str(value)
        case _:
            return str(value)


def _key(key: Any) -> str:
    shown = plain(key)
    return shown if isinstance(shown, str) else dumps(shown).decode()


def _duration(value: dt.timedelta) -> str:
    seconds = value.seconds + value.microseconds / 1e6
    return f"P{value.days}DT{seconds:g}S"
