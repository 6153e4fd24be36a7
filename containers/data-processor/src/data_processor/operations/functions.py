"""The functions that expressions may use. Each builds an Ibis expression; nothing else can be called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.datatypes as dt
from ibis.expr.operations import Literal

from data_processor.errors import InvalidExpression
from data_processor.operations import builtins

Build = Callable[..., Any]


@dataclass(frozen=True)
class Function:
    """A function of the expression language. `least` and `most` arguments; `most` None for any number."""

    build: Build
    least: int = 1
    most: int | None = 1
    aggregates: bool = False

    def __call__(self, name: str, arguments: list[Any], **options: Any) -> Any:
        if len(arguments) < self.least or (self.most is not None and len(arguments) > self.most):
            raise InvalidExpression(f"`{name}` takes {self._arity()}, and has {len(arguments)}")
        return self.build(*arguments, **options)

    def _arity(self) -> str:
        if self.most is None:
            return f"{self.least} or more arguments"
        if self.least == self.most:
            return "no arguments" if self.most == 0 else f"{self.most} argument{'s' if self.most > 1 else ''}"
        return f"{self.least} to {self.most} arguments"


def constant(value: Any, what: str) -> Any:
    """The Python value of a literal; some arguments must be written out."""
    operation: Any = value.op()
    if not isinstance(operation, Literal):
        raise InvalidExpression(f"{what} must be written out, not computed")
    return operation.value


_UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")


def _unit(value: Any) -> str:
    name = str(constant(value, "The unit of time")).lower().removesuffix("s")
    if name not in _UNITS:
        raise InvalidExpression(f"`{name}` is not a unit of time; these are: {', '.join(_UNITS)}")
    return name


def _date_part(unit: Any, moment: Any) -> Any:
    name = str(constant(unit, "The part of a date")).lower()
    parts = {**_PARTS, "dow": _day_of_week, "doy": lambda value: value.day_of_year(), "epoch": _epoch}
    if name not in parts:
        raise InvalidExpression(f"`{name}` is not a part of a date; these are: {', '.join(parts)}")
    return parts[name](moment)


def _day_of_week(moment: Any) -> Any:
    """0 is Sunday, as in SQL; Ibis counts from Monday."""
    return (moment.day_of_week.index() + 1) % 7


def _epoch(moment: Any) -> Any:
    return moment.cast(dt.timestamp).epoch_seconds().cast(dt.int64)


def _substring(text: Any, start: Any, length: Any = None) -> Any:
    return text.substr(start - 1, length) if length is not None else text.substr(start - 1)


def _round(number: Any, digits: Any = None) -> Any:
    return number.round(constant(digits, "The number of digits") if digits is not None else 0)


def _as_interval(unit: str) -> Build:
    return lambda number: number.cast(dt.int64).as_interval(unit)


_PARTS: dict[str, Build] = {
    "year": lambda value: value.year(),
    "quarter": lambda value: value.quarter(),
    "month": lambda value: value.month(),
    "week": lambda value: value.week_of_year(),
    "day": lambda value: value.day(),
    "hour": lambda value: value.hour(),
    "minute": lambda value: value.minute(),
    "second": lambda value: value.second(),
}

_TEXT = {
    "upper": Function(lambda text: text.upper()),
    "lower": Function(lambda text: text.lower()),
    "trim": Function(lambda text, characters=" ": builtins.trim(text, characters), 1, 2),
    "length": Function(lambda value: value.length()),
    "substring": Function(_substring, 2, 3),
    "left": Function(lambda text, count: text.left(count), 2, 2),
    "right": Function(lambda text, count: text.right(count), 2, 2),
    "replace": Function(lambda text, old, new: text.replace(old, new), 3, 3),
    "concat": Function(
        lambda *parts: ibis.literal("").concat(*(part.cast(dt.string).fill_null("") for part in parts)),
        1,
        None,
    ),
    "contains": Function(lambda value, part: value.contains(part), 2, 2),
    "starts_with": Function(lambda text, part: text.startswith(part), 2, 2),
    "ends_with": Function(lambda text, part: text.endswith(part), 2, 2),
    "position": Function(lambda text, part: text.find(part) + 1, 2, 2),
    "split_part": Function(builtins.split_part, 3, 3),
    "lpad": Function(lambda text, width, fill: text.lpad(width, fill), 3, 3),
    "rpad": Function(lambda text, width, fill: text.rpad(width, fill), 3, 3),
    "reverse": Function(lambda text: text.reverse()),
    "regexp_matches": Function(builtins.regexp_matches, 2, 2),
    "regexp_full_match": Function(builtins.regexp_full_match, 2, 2),
    "regexp_extract": Function(lambda text, pattern, group=0: text.re_extract(pattern, group), 2, 3),
    "regexp_replace": Function(lambda text, pattern, new: text.re_replace(pattern, new), 3, 3),
}

_NUMBERS = {
    "abs": Function(lambda number: number.abs()),
    "ceil": Function(lambda number: number.ceil()),
    "floor": Function(lambda number: number.floor()),
    "round": Function(_round, 1, 2),
    "trunc": Function(lambda number: ibis.ifelse(number < 0, number.ceil(), number.floor())),
    "sign": Function(lambda number: number.sign()),
    "sqrt": Function(lambda number: number.sqrt()),
    "exp": Function(lambda number: number.exp()),
    "ln": Function(lambda number: number.ln()),
    "log10": Function(lambda number: number.log10()),
    "log2": Function(lambda number: number.log2()),
    "power": Function(lambda number, exponent: number**exponent, 2, 2),
    "mod": Function(lambda number, divisor: number % divisor, 2, 2),
    "greatest": Function(ibis.greatest, 2, None),
    "least": Function(ibis.least, 2, None),
}

_CHOICES = {
    "if": Function(ibis.ifelse, 3, 3),
    "ifnull": Function(ibis.coalesce, 2, 2),
    "nullif": Function(lambda value, other: value.nullif(other), 2, 2),
}

_MOMENTS = {
    **{name: Function(build) for name, build in _PARTS.items()},
    "dayofweek": Function(_day_of_week),
    "dayofyear": Function(lambda moment: moment.day_of_year()),
    "epoch": Function(_epoch),
    "date_part": Function(_date_part, 2, 2),
    "date_trunc": Function(lambda unit, moment: moment.truncate(_unit(unit)), 2, 2),
    "date_diff": Function(lambda unit, start, end: end.delta(start, unit=_unit(unit)), 3, 3),
    "strftime": Function(lambda moment, form: moment.strftime(constant(form, "The format")), 2, 2),
    "strptime": Function(builtins.strptime, 2, 2),
    "try_strptime": Function(builtins.try_strptime, 2, 2),
    "make_date": Function(ibis.date, 3, 3),
    "last_day": Function(lambda moment: builtins.last_day(moment.cast(dt.date))),
    "today": Function(ibis.today, 0, 0),
    "now": Function(ibis.now, 0, 0),
    "to_years": Function(_as_interval("Y")),
    "to_months": Function(_as_interval("M")),
    "to_weeks": Function(_as_interval("W")),
    "to_days": Function(_as_interval("D")),
    "to_hours": Function(_as_interval("h")),
    "to_minutes": Function(_as_interval("m")),
    "to_seconds": Function(_as_interval("s")),
}

_FIGURES = {
    "count": Function(lambda value, where=None: value.count(where=where), aggregates=True),
    "sum": Function(lambda value, where=None: value.sum(where=where), aggregates=True),
    "avg": Function(lambda value, where=None: value.mean(where=where), aggregates=True),
    "min": Function(lambda value, where=None: value.min(where=where), aggregates=True),
    "max": Function(lambda value, where=None: value.max(where=where), aggregates=True),
    "median": Function(lambda value, where=None: value.median(where=where), aggregates=True),
    "mode": Function(lambda value, where=None: value.mode(where=where), aggregates=True),
    "stddev": Function(lambda value, where=None: value.std(where=where), aggregates=True),
    "variance": Function(lambda value, where=None: value.var(where=where), aggregates=True),
    "quantile": Function(
        lambda value, share, where=None: value.quantile(constant(share, "The quantile"), where=where),
        2,
        2,
        aggregates=True,
    ),
    "first": Function(lambda value, where=None: value.first(where=where), aggregates=True),
    "last": Function(lambda value, where=None: value.last(where=where), aggregates=True),
    "any_value": Function(lambda value, where=None: value.arbitrary(where=where), aggregates=True),
    "bool_and": Function(lambda value, where=None: value.all(where=where), aggregates=True),
    "bool_or": Function(lambda value, where=None: value.any(where=where), aggregates=True),
    "count_if": Function(lambda test, where=None: test.sum(where=where), aggregates=True),
    "approx_count_distinct": Function(
        lambda value, where=None: value.approx_nunique(where=where), aggregates=True
    ),
    "list": Function(lambda value, where=None: value.collect(where=where), aggregates=True),
    "string_agg": Function(
        lambda text, separator, where=None: text.group_concat(separator, where=where), 2, 2, aggregates=True
    ),
}

FUNCTIONS: dict[str, Function] = {**_TEXT, **_NUMBERS, **_CHOICES, **_MOMENTS, **_FIGURES}

ALIASES = {
    "len": "length",
    "char_length": "length",
    "strlen": "length",
    "substr": "substring",
    "strpos": "position",
    "instr": "position",
    "prefix": "starts_with",
    "suffix": "ends_with",
    "ucase": "upper",
    "lcase": "lower",
    "ceiling": "ceil",
    "pow": "power",
    "log": "log10",
    "mean": "avg",
    "stddev_samp": "stddev",
    "var_samp": "variance",
    "quantile_cont": "quantile",
    "every": "bool_and",
    "array_agg": "list",
    "group_concat": "string_agg",
    "listagg": "string_agg",
    "datepart": "date_part",
    "datetrunc": "date_trunc",
    "datediff": "date_diff",
    "arbitrary": "any_value",
    "string_split_part": "split_part",
    "array_length": "length",
    "list_contains": "contains",
    "array_contains": "contains",
    "weekofyear": "week",
    "dayofmonth": "day",
    "countif": "count_if",
}


def function_named(name: str) -> Function:
    """Raises InvalidExpression for a function that expressions do not have."""
    known = ALIASES.get(name.lower(), name.lower())
    if known not in FUNCTIONS:
        raise InvalidExpression(f"There is no function `{name}` for expressions")
    return FUNCTIONS[known]
