"""Columns by name, and Ibis types by ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import ibis
import ibis.expr.datatypes as dt

from ai_semble.errors import FieldProblem, InvalidRequest
from ai_semble.schemas.data_parts import SortKey
from data_processor.errors import UnknownColumn

_SHOWN = 100
_TYPES: dict[str, dt.DataType] = {
    "boolean": dt.boolean,
    "integer": dt.int64,
    "number": dt.float64,
    "string": dt.string,
    "date": dt.date,
    "datetime": dt.timestamp,
    "time": dt.time,
    "json": dt.json,
}


def column(table: ibis.Table, name: str) -> ibis.Column:
    """Raises UnknownColumn, with names that are close."""
    if name not in table.columns:
        raise unknown(name, table.columns)
    return table[name]


def unknown(name: str, names: Sequence[str]) -> UnknownColumn:
    folded = {other.casefold(): other for other in names}
    close = [folded[found] for found in get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)]
    meant = f" Did you mean {' or '.join(f'`{other}`' for other in close)}?" if close else ""
    return UnknownColumn(f"There is no column `{name}` here.{meant}", extra={"columns": list(names[:_SHOWN])})


def check_names(names: Iterable[str]) -> None:
    """Column names must differ in more than upper and lower case, since SQL's do."""
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.casefold(), name)) is not name:
            same = (
                f"`{name}` twice" if name == other else f"`{other}` and `{name}`, which differ only in case"
            )
            sentence = f"The answer would have the columns {same}"
            raise InvalidRequest(
                sentence, fields=[FieldProblem("columns", sentence)], hint="Rename one of them."
            )


def sort_keys(table: ibis.Table, keys: Sequence[str | SortKey]) -> list[ibis.Value]:
    return [_sort_key(table, SortKey(column=key) if isinstance(key, str) else key) for key in keys]


def _sort_key(table: ibis.Table, key: SortKey) -> ibis.Value:
    order = ibis.desc if key.descending else ibis.asc
    return order(column(table, key.column), nulls_first=key.nulls == "first")


def reverse(keys: Sequence[ibis.Value]) -> list[ibis.Value]:
    """The opposite order, nulls included."""
    turned = []
    for key in keys:
        sort = key.op()
        order = ibis.desc if sort.ascending else ibis.asc
        turned.append(order(sort.arg.to_expr(), nulls_first=not sort.nulls_first))
    return turned


def free_name(table: ibis.Table, wish: str) -> str:
    """A column name for our own use that the table does not have."""
    taken = {name.casefold() for name in table.columns}
    while wish in taken:
        wish += "_"
    return wish


def type_named(name: str) -> dt.DataType:
    """The Ibis type for a name of `ai_semble.schemas.data.TypeName`."""
    if found := re.fullmatch(r"decimal(?:\((\d+), ?(\d+)\))?", name):
        precision, scale = int(found[1] or 18), int(found[2] or 3)
        if not (1 <= precision <= 38 and scale <= precision):
            raise InvalidRequest(f"{name}: a decimal has 1 to 38 digits, and no more of them after the point")
        return dt.Decimal(precision, scale)
    return _TYPES[name]
