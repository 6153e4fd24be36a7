"""Putting two tables together."""

from __future__ import annotations

from typing import Any

import ibis

from ai_semble.schemas.data import Join
from ai_semble.schemas.data_parts import JoinKey
from data_processor.errors import TypeMismatch
from data_processor.operations.columns import check_names, column
from data_processor.operations.frame import Frame
from data_processor.operations.shaping import invalid
from data_processor.operations.values import words

_HOW = {"inner": "inner", "left": "left", "right": "right", "full": "outer", "semi": "semi", "anti": "anti"}


def join_tables(operation: Join, frame: Frame, right: ibis.Table) -> Frame:
    """All columns of the left table, then those of the right but its keys; no key of the left is lost."""
    left = frame.table
    keys = [JoinKey(left=key, right=key) if isinstance(key, str) else key for key in operation.on]
    if (operation.how == "cross") == bool(keys):
        raise invalid("on", "`cross` has no `on`, and every other join needs it")
    for key in keys:
        _check_comparable(column(left, key.left), column(right, key.right), key)
    # Under names of our own, the columns of the two tables cannot be mistaken for each other.
    inner = {name: f"__right{number}" for number, name in enumerate(right.columns)}
    renamed = right.select(**{inner[name]: right[name] for name in right.columns})
    if operation.how == "cross":
        joined = left.cross_join(renamed)
    else:
        predicates = [left[key.left] == renamed[inner[key.right]] for key in keys]
        joined = left.join(renamed, predicates, how=_HOW[operation.how])
    if operation.how in ("semi", "anti"):
        return frame.with_table(joined, streams=False)
    return frame.with_table(_columns(operation, left, right, inner, keys, joined), streams=False)


def _columns(
    operation: Join,
    left: ibis.Table,
    right: ibis.Table,
    inner: dict[str, str],
    keys: list[JoinKey],
    joined: ibis.Table,
) -> ibis.Table:
    pairs = {key.left: inner[key.right] for key in keys}
    both = operation.how in ("right", "full")  # the left side of a row may be missing
    chosen: dict[str, Any] = {
        name: ibis.coalesce(joined[name], joined[pairs[name]]) if both and name in pairs else joined[name]
        for name in left.columns
    }
    taken = {name.casefold() for name in left.columns}
    for name in right.columns:
        if inner[name] not in pairs.values():
            chosen[name + operation.suffix if name.casefold() in taken else name] = joined[inner[name]]
    check_names(chosen)
    return joined.select(**chosen)


def _check_comparable(left: Any, right: Any, key: JoinKey) -> None:
    kinds = left.type(), right.type()
    same = (kinds[0].is_numeric() and kinds[1].is_numeric()) or type(kinds[0]) is type(kinds[1])
    if not same:
        raise TypeMismatch(
            f"`{key.left}` on the left is {words(kinds[0])}, "
            f"and `{key.right}` on the right is {words(kinds[1])}"
        )
