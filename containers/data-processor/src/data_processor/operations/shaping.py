"""Operations that look at one row at a time, or only at the order of rows."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.datatypes as dt

from ai_semble.errors import FieldProblem, InvalidRequest
from ai_semble.schemas.data import Convert, Derive, FillNulls, Filter, Sample, Select, Sort
from ai_semble.schemas.data_parts import Conversion, Fill
from data_processor.engine.session import Session
from data_processor.errors import TypeMismatch
from data_processor.operations.builtins import hash_of_numbers, strptime, try_strptime
from data_processor.operations.columns import check_names, column, free_name, reverse, sort_keys, type_named
from data_processor.operations.conditions import condition
from data_processor.operations.expressions import compile_value
from data_processor.operations.frame import Frame
from data_processor.operations.values import literal_for, words

_SCALE = 2**32


def filter_rows(operation: Filter, frame: Frame, session: Session) -> Frame:
    return frame.with_table(frame.table.filter(condition(operation.where, frame.table, session.connection)))


def select_columns(operation: Select, frame: Frame) -> Frame:
    table = frame.table
    if (operation.columns is None) == (operation.drop is None):
        raise invalid("columns", "Give either `columns` or `drop`")
    if operation.drop is not None:
        for name in operation.drop:
            column(table, name)
        kept = [name for name in table.columns if name not in operation.drop]
        if not kept:
            raise invalid("drop", "No column would be left")
        return frame.with_table(table.select(kept), same_rows=True)
    pairs = [
        (item, item) if isinstance(item, str) else (item.as_, item.column) for item in operation.columns or ()
    ]
    check_names(name for name, _ in pairs)
    chosen = {name: column(table, source) for name, source in pairs}
    return frame.with_table(table.select(**chosen), same_rows=True)


def derive_columns(operation: Derive, frame: Frame, session: Session) -> Frame:
    table = frame.table
    made = {name: compile_value(text, table, session.connection) for name, text in operation.columns.items()}
    check_names(dict.fromkeys([*table.columns, *made]))
    return frame.with_table(table.mutate(**made), same_rows=True)


def sort_rows(operation: Sort, frame: Frame) -> Frame:
    return frame.with_table(frame.table.order_by(sort_keys(frame.table, operation.by)), same_rows=True)


def sample_rows(operation: Sample, frame: Frame, session: Session) -> Frame:
    """By a hash of the row number, so that the same seed gives the same rows, on any number of threads."""
    if (operation.rows is None) == (operation.fraction is None):
        raise invalid("rows", "Give either `rows` or `fraction`")
    number, ticket = free_name(frame.table, "__row"), free_name(frame.table, "__ticket")
    table = session.numbered(frame.table, number)
    table = table.mutate(**{ticket: hash_of_numbers(table[number], operation.seed)})
    if operation.rows is not None:
        # Rows are drawn by their tickets, then put back in order.
        drawn = table.order_by([table[ticket], table[number]]).limit(operation.rows)
        return frame.with_table(drawn.order_by(number).drop(number, ticket), streams=False)
    below = int((operation.fraction or 0) * _SCALE)
    return frame.with_table(table.filter(table[ticket] % _SCALE < below).drop(number, ticket), streams=False)


def convert_types(operation: Convert, frame: Frame) -> Frame:
    made = {}
    for name, wanted in operation.types.items():
        conversion = Conversion(type=wanted) if isinstance(wanted, str) else wanted
        made[name] = _converted(
            column(frame.table, name), name, conversion, lenient=operation.on_error == "null"
        )
    return frame.with_table(frame.table.mutate(**made), same_rows=True) if made else frame


def _converted(value: Any, name: str, wanted: Conversion, *, lenient: bool) -> ibis.Value:
    kind = type_named(wanted.type)
    if wanted.format is not None:
        if not value.type().is_string():
            raise TypeMismatch(f"`format` is for text, and the column `{name}` is {words(value.type())}")
        value = (try_strptime if lenient else strptime)(value, wanted.format)
    if value.type().is_nested() and not (kind.is_json() or kind.is_string()):
        raise TypeMismatch(f"The column `{name}` is {words(value.type())}, which cannot become {words(kind)}")
    converted: ibis.Value = value.try_cast(kind) if lenient else value.cast(kind)
    return converted


def fill_nulls(operation: FillNulls, frame: Frame, session: Session) -> Frame:
    fills = {
        name: fill if isinstance(fill, Fill) else Fill(value=fill) for name, fill in operation.columns.items()
    }
    for name, fill in fills.items():
        column(frame.table, name)
        if (fill.value is None) == (fill.method is None):
            raise invalid(f"columns.{name}", "Give either `value` or `method`, and a value that is not null")
    frame = _fill_with_values(fills, frame, session)
    near = {name: fill.method for name, fill in fills.items() if fill.method in ("forward", "backward")}
    return _fill_from_neighbours(near, operation, frame, session) if near else frame


def _fill_with_values(fills: dict[str, Fill], frame: Frame, session: Session) -> Frame:
    table: Any = frame.table
    known = {
        name: literal_for(fill.value, table[name].type(), name)
        for name, fill in fills.items()
        if fill.method is None
    }
    figures = {
        name: figure
        for name, fill in fills.items()
        if (figure := _figure(table[name], name, fill.method)) is not None
    }
    if figures:
        kinds = {name: figure.type() for name, figure in figures.items()}
        found = session.row(table.aggregate(**figures))
        known |= {
            name: ibis.literal(found[name], type=kinds[name]) for name in figures if found[name] is not None
        }
    filled = {name: _filled(table[name], value) for name, value in known.items()}
    return frame.with_table(table.mutate(**filled), same_rows=True) if filled else frame


def _figure(value: Any, name: str, method: str | None) -> ibis.Scalar | None:
    if method in ("mean", "median") and not value.type().is_numeric():
        raise TypeMismatch(f"There is no {method} of the column `{name}`, which is {words(value.type())}")
    if method in ("mean", "median", "mode", "min", "max"):
        figure: ibis.Scalar = getattr(value, method)()
        return figure
    return None


def _filled(value: Any, filling: ibis.Value) -> ibis.Value:
    """A mean of integers is no integer, so the column becomes one of numbers."""
    if value.type().is_integer() and filling.type().is_floating():
        value = value.cast(dt.float64)
    filled: ibis.Value = ibis.coalesce(value, filling.cast(value.type()))
    return filled


def _fill_from_neighbours(
    near: dict[str, Any], operation: FillNulls, frame: Frame, session: Session
) -> Frame:
    number = free_name(frame.table, "__row")
    table = session.numbered(frame.table, number)
    for name, method in near.items():
        order = [*sort_keys(table, operation.order_by), ibis.asc(table[number])]
        table = _fill_one(table, name, order if method == "forward" else reverse(order))
    return frame.with_table(table.order_by(number).drop(number), streams=False)


def _fill_one(table: ibis.Table, name: str, order: list[Any]) -> ibis.Table:
    """A stretch is a value and the nulls that follow it, so that the value is the only one in it."""
    stretch = free_name(table, "__stretch")
    table = table.mutate(**{stretch: table[name].count().over(ibis.window(order_by=order, following=0))})
    value = table[name].arbitrary().over(ibis.window(group_by=stretch))
    return table.mutate(**{name: value}).drop(stretch)


def invalid(field: str, sentence: str) -> InvalidRequest:
    return InvalidRequest(sentence, fields=[FieldProblem(field, sentence)])
