"""Functions of DuckDB that Ibis has no name for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ibis
import ibis.expr.datatypes as dt

Call = Callable[..., Any]

# Ibis takes the number of arguments from a Python function, and never calls it.
_SHAPES: dict[int, Call] = {
    1: lambda _: None,
    2: lambda _, __: None,
    3: lambda _, __, ___: None,
}


def scalar(name: str, arguments: Sequence[dt.DataType], result: dt.DataType) -> Call:
    """A function of one row."""
    shape = _SHAPES[len(arguments)]
    call: Call = ibis.udf.scalar.builtin(shape, name=name, signature=(tuple(arguments), result))
    return call


def aggregate(name: str, arguments: Sequence[dt.DataType], result: dt.DataType) -> Call:
    """A function of many rows."""
    shape = _SHAPES[len(arguments)]
    call: Call = ibis.udf.agg.builtin(shape, name=name, signature=(tuple(arguments), result))
    return call


regexp_matches = scalar("regexp_matches", [dt.string, dt.string], dt.boolean)
regexp_full_match = scalar("regexp_full_match", [dt.string, dt.string], dt.boolean)
split_part = scalar("split_part", [dt.string, dt.string, dt.int64], dt.string)
trim = scalar("trim", [dt.string, dt.string], dt.string)
strptime = scalar("strptime", [dt.string, dt.string], dt.timestamp)
try_strptime = scalar("try_strptime", [dt.string, dt.string], dt.timestamp)
last_day = scalar("last_day", [dt.date], dt.date)
json_text = scalar("json_extract_string", [dt.json, dt.string], dt.string)
json_type = scalar("json_type", [dt.json], dt.string)
isfinite = scalar("isfinite", [dt.float64], dt.boolean)
hash_of_text = scalar("hash", [dt.string], dt.uint64)
hash_of_numbers = scalar("hash", [dt.int64, dt.int64], dt.uint64)
approx_quantiles = aggregate("approx_quantile", [dt.float64, dt.Array(dt.float32)], dt.Array(dt.float64))
histogram = aggregate("histogram", [dt.float64, dt.Array(dt.float64)], dt.Map(dt.float64, dt.int64))


def most_frequent(value: Any, most: int) -> Any:
    """Up to `most` values that are probably the most frequent ones."""
    kind = value.type()
    return aggregate("approx_top_k", [kind, dt.int64], dt.Array(kind))(value, most)


def counts_of(value: Any, wanted: Sequence[Any]) -> Any:
    """How often each of these values occurs, as a map."""
    kind = value.type()
    literals = ibis.array([ibis.literal(item, type=kind) for item in wanted])
    return aggregate("histogram_exact", [kind, dt.Array(kind)], dt.Map(kind, dt.int64))(value, literals)
