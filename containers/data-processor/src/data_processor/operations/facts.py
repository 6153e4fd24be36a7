"""What is asked of one column for its profile, and what was found."""

from __future__ import annotations

import datetime as pydt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from data_processor.operations.builtins import (
    approx_quantiles,
    counts_of,
    hash_of_text,
    histogram,
    isfinite,
    json_type,
    most_frequent,
    regexp_full_match,
)

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_EPOCH = pydt.datetime(1970, 1, 1, tzinfo=pydt.UTC)
_NUMBER_AS_TEXT = r"\s*[-+]?\d+([.,]\d+)?\s*"


def measurable(kind: dt.DataType) -> bool:
    """Whether there is a histogram of this type."""
    return (kind.is_numeric() and not kind.is_boolean()) or kind.is_date() or kind.is_timestamp()


@dataclass(frozen=True)
class Facts:
    """What the passes found about a column, by the keys of `first_pass` and `second_pass`."""

    kind: dt.DataType
    rows: int
    found: Mapping[str, Any]

    def with_more(self, found: Mapping[str, Any]) -> Facts:
        return replace(self, found={**self.found, **found})

    @property
    def nulls(self) -> int:
        return self.rows - int(self.found["filled"])

    @property
    def distinct(self) -> int:
        return min(int(self.found["distinct"]), int(self.found["filled"]))

    @property
    def is_number(self) -> bool:
        return self.kind.is_numeric() and not self.kind.is_boolean()

    @property
    def top(self) -> list[tuple[Any, int]]:
        """Most frequent values first."""
        if "top" in self.found:
            return list(self.found["top"])
        counted = dict(self.found.get("candidate_counts") or {})
        listed = [(value, counted.get(value, 0)) for value in self.found.get("candidates") or ()]
        return sorted(((value, count) for value, count in listed if count), key=lambda pair: -pair[1])

    @property
    def range(self) -> tuple[float, float] | None:
        """Smallest and largest finite value on the scale of the histogram; dates are seconds since 1970."""
        low, high = self.found.get("low"), self.found.get("high")
        return None if low is None or high is None else (float(low), float(high))

    @property
    def bars(self) -> list[dict[str, Any]]:
        """The histogram."""
        counted = self.found.get("histogram")
        span = self.range
        if not counted or span is None:
            return []
        bars, start = [], span[0]
        for end, count in sorted(counted.items()):
            if end > span[1] and not count:  # DuckDB's place for what is above the last bound
                continue
            bars.append({"from": self._shown(start), "to": self._shown(end), "count": int(count)})
            start = end
        return bars

    def _shown(self, place: float) -> Any:
        if not (self.kind.is_date() or self.kind.is_timestamp()):
            return int(place) if self.kind.is_integer() and place.is_integer() else place
        moment = _EPOCH + pydt.timedelta(seconds=place)
        if self.kind.is_date():
            return moment.date().isoformat()
        text = moment.isoformat(timespec="seconds").removesuffix("+00:00")
        return text + "Z" if getattr(self.kind, "timezone", None) else text


def first_pass(value: Any, top: int, *, exact: bool) -> dict[str, ibis.Scalar]:
    """What to ask first of a column."""
    kind = value.type()
    flat = not kind.is_nested() and not kind.is_json()
    asked: dict[str, Any] = {"filled": value.count(), "distinct": _distinct(value, exact=exact)}
    if flat and not kind.is_binary():
        asked |= {"min": value.min(), "max": value.max()}
    if measurable(kind):
        asked |= _about_measures(value, exact=exact)
    if kind.is_string():
        asked |= _about_texts(value)
    if kind.is_json():
        asked["types"] = json_type(value).nunique()
    if top and not exact and flat:
        asked["candidates"] = most_frequent(value, top)
    return asked


def _distinct(value: Any, *, exact: bool) -> ibis.Scalar:
    if value.type().is_nested() or value.type().is_json():
        value = ibis.ifelse(value.isnull(), ibis.null().cast(dt.uint64), hash_of_text(value.cast(dt.string)))
    counted: ibis.Scalar = value.nunique() if exact else value.approx_nunique()
    return counted


def _scale(value: Any) -> Any:
    """The value as a float, or null if it is not finite."""
    kind = value.type()
    if kind.is_date() or kind.is_timestamp():
        return value.cast(dt.timestamp).epoch_seconds().cast(dt.float64)
    value = value.cast(dt.float64)
    return ibis.ifelse(isfinite(value), value, ibis.null().cast(dt.float64)) if kind.is_floating() else value


def _about_measures(value: Any, *, exact: bool) -> dict[str, Any]:
    number = _scale(value)
    asked = {"low": number.min(), "high": number.max()}
    if value.type().is_numeric():
        shares = [ibis.literal(share, type=dt.float32) for share in QUANTILES]
        quantiles = (
            ibis.array([number.quantile(share) for share in QUANTILES])
            if exact
            else approx_quantiles(number, ibis.array(shares))
        )
        asked |= {"mean": number.mean(), "stddev": number.std(), "quantiles": quantiles}
    if value.type().is_floating():
        asked["not_finite"] = (value.notnull() & number.isnull()).sum()
    return asked


def _about_texts(value: Any) -> dict[str, Any]:
    length = value.length()
    return {
        "min_length": length.min(),
        "mean_length": length.mean(),
        "max_length": length.max(),
        "blank": (value.strip() == "").sum(),
        "spaced": (value.strip() != value).sum(),
        "numeric": regexp_full_match(value, _NUMBER_AS_TEXT).sum(),
    }


def second_pass(value: Any, facts: Facts, bins: int, *, exact: bool) -> dict[str, ibis.Scalar]:
    """What to ask a column after the first pass."""
    asked = {}
    if (bounds := _bounds(facts, bins)) is not None:
        asked["histogram"] = histogram(_scale(value), ibis.array([ibis.literal(bound) for bound in bounds]))
    if not exact and (candidates := facts.found.get("candidates")):
        asked["candidate_counts"] = counts_of(value, candidates)
    return asked


def _bounds(facts: Facts, bins: int) -> list[float] | None:
    """Upper bounds of the bars, each included in its bar."""
    span = facts.range
    if not bins or span is None or not measurable(facts.kind):
        return None
    low, high = span
    if low == high:
        return [high]
    whole = facts.kind.is_integer() and high - low < bins
    if whole:
        return [low + step for step in range(int(high - low) + 1)]
    width = (high - low) / bins
    return sorted({*(low + width * step for step in range(1, bins)), high})


def as_number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float | Decimal) else None
