"""Operations on groups of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from ai_semble.schemas.data import AggregateRows, Deduplicate, Pivot
from ai_semble.schemas.data_parts import Aggregate
from data_processor.engine.rows import dumps
from data_processor.engine.session import Session
from data_processor.errors import TypeMismatch
from data_processor.operations.columns import check_names, column, free_name, reverse, sort_keys
from data_processor.operations.conditions import condition
from data_processor.operations.expressions import compile_figure
from data_processor.operations.frame import Frame
from data_processor.operations.shaping import invalid
from data_processor.operations.values import comparable, literal_for, words

_MAX_PIVOT_COLUMNS = 1000
_OF_NUMBERS = ("sum", "mean", "median", "quantile", "stddev", "variance")
_METHODS = {
    "count_distinct": "nunique",
    "sum": "sum",
    "mean": "mean",
    "min": "min",
    "max": "max",
    "median": "median",
    "stddev": "std",
    "variance": "var",
    "first": "first",
    "last": "last",
    "mode": "mode",
    "any": "any",
    "all": "all",
    "list": "collect",
    "count": "count",
}


def aggregate_rows(operation: AggregateRows, frame: Frame, session: Session) -> Frame:
    table = frame.table
    keys = [column(table, name) for name in operation.group_by]
    check_names([*operation.group_by, *operation.aggregates])
    figures = {name: _figure(figure, table, session) for name, figure in operation.aggregates.items()}
    grouped = table.group_by(keys).aggregate(**figures) if keys else table.aggregate(**figures)
    return frame.with_table(grouped, streams=False)


def _figure(figure: Aggregate | str, table: ibis.Table, session: Session) -> ibis.Scalar:
    if isinstance(figure, str):
        return compile_figure(figure, table, session.connection)
    where = condition(figure.where, table, session.connection) if figure.where is not None else None
    if figure.column is None:
        if figure.function != "count":
            raise invalid("aggregates", f"`{figure.function}` needs a `column`")
        return table.count(where=where)
    return figure_of(column(table, figure.column), figure, where)


def figure_of(value: Any, figure: Aggregate, where: ibis.BooleanValue | None = None) -> ibis.Scalar:
    """One figure of one column. Raises TypeMismatch."""
    kind, name = value.type(), figure.column
    fits = {
        "any": kind.is_boolean(),
        "all": kind.is_boolean(),
        "join": kind.is_string(),
        **dict.fromkeys(_OF_NUMBERS, kind.is_numeric() and not kind.is_boolean()),
    }
    if not fits.get(figure.function, True):
        raise TypeMismatch(f"There is no {figure.function} of the column `{name}`, which is {words(kind)}")
    result: ibis.Scalar
    if figure.function == "quantile":
        result = value.quantile(figure.quantile, where=where)
    elif figure.function == "join":
        result = value.group_concat(figure.separator, where=where)
    else:
        result = getattr(value, _METHODS[figure.function])(where=where)
    return result


def pivot_table(operation: Pivot, frame: Frame, session: Session) -> Frame:
    table = frame.table
    keys = [column(table, name) for name in operation.rows]
    by, values = column(table, operation.column), column(table, operation.values)
    names = operation.names if operation.names is not None else _distinct(by, table, session)
    titles = [_title(name) for name in names]
    check_names([*operation.rows, *titles])
    figure = Aggregate(function=operation.function, column=operation.values)
    cells = {
        title: figure_of(values, figure, _is(by, name, operation.column))
        for title, name in zip(titles, names, strict=True)
    }
    grouped = table.group_by(keys).aggregate(**cells) if keys else table.aggregate(**cells)
    return frame.with_table(grouped, streams=False)


def _distinct(by: Any, table: ibis.Table, session: Session) -> list[Any]:
    kind = by.type()
    if kind.is_nested() or kind.is_floating():
        raise TypeMismatch(
            f"The values of a column that is {words(kind)} cannot become columns; give `names`"
        )
    shown = (
        by.cast(dt.string)
        if kind.is_temporal() or kind.is_json() or kind.is_decimal() or kind.is_uuid()
        else by
    )
    found = session.fetch(table.select(name=shown).distinct().order_by("name").limit(_MAX_PIVOT_COLUMNS + 1))
    if len(found) > _MAX_PIVOT_COLUMNS:
        raise invalid(
            "column",
            f"`{by.get_name()}` has more than {_MAX_PIVOT_COLUMNS} values; give those wanted as `names`",
        )
    if not found:
        raise invalid("column", "There are no rows, so no values to make columns of; give `names`")
    return [name for (name,) in found]


def _title(name: Any) -> str:
    if isinstance(name, str):
        return name or "(empty)"
    return dumps(name).decode()


def _is(by: Any, name: Any, title: str) -> ibis.BooleanValue:
    if name is None:
        return by.isnull()
    if by.type().is_decimal() or by.type().is_json():
        same: ibis.BooleanValue = by.cast(dt.string) == str(name)
        return same
    equal: ibis.BooleanValue = comparable(by) == literal_for(name, by.type(), title)
    return equal


def deduplicate_rows(operation: Deduplicate, frame: Frame, session: Session) -> Frame:
    """The rows that are kept stay in their order."""
    number = free_name(frame.table, "__row")
    table = session.numbered(frame.table, number)
    names = operation.columns or list(frame.table.columns)
    keys = [column(table, name) for name in names]
    if operation.order_by and operation.columns is not None:
        kept = _first_in_order(table, keys, operation, number)
    else:
        place = table[number].max() if operation.keep == "last" else table[number].min()
        kept = table.group_by(keys).aggregate(**{number: place})
        if operation.columns is not None:
            # Rows that are equal in all columns differ in nothing else; otherwise the rest of the row is fetched.
            kept = table.semi_join(kept.select(number), number)
    return frame.with_table(kept.order_by(number).drop(number), streams=False)


def _first_in_order(
    table: ibis.Table, keys: Sequence[ibis.Column], operation: Deduplicate, number: str
) -> ibis.Table:
    order = [*sort_keys(table, operation.order_by), ibis.asc(table[number])]
    order = reverse(order) if operation.keep == "last" else order
    place = free_name(table, "__place")
    placed = table.mutate(**{place: ibis.row_number().over(ibis.window(group_by=keys, order_by=order))})
    return placed.filter(placed[place] == 0).drop(place)
