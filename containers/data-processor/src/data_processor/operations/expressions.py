"""Expressions: text -> DuckDB's syntax tree -> Ibis. What the tables here do not name cannot be said.

The text never becomes part of a statement. It is parsed, and each node of its tree is built anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import reduce
from operator import add, and_, eq, floordiv, ge, gt, le, lt, mod, mul, ne, neg, or_, pow, sub, truediv
from typing import Any

import duckdb
import ibis
import ibis.expr.datatypes as dt
from ibis.backends.sql.datatypes import DuckDBType
from ibis.common.annotations import ValidationError
from ibis.common.exceptions import IbisError

from data_processor.engine.parsing import Node, parse_select
from data_processor.errors import InvalidExpression, SqlNotAllowed, TypeMismatch
from data_processor.operations.builtins import json_text, regexp_matches
from data_processor.operations.columns import column
from data_processor.operations.functions import FUNCTIONS, Function, constant, function_named
from data_processor.operations.values import comparable, literal_for, words

MAX_DEPTH = 60

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "COMPARE_EQUAL": eq,
    "COMPARE_NOTEQUAL": ne,
    "COMPARE_LESSTHAN": lt,
    "COMPARE_GREATERTHAN": gt,
    "COMPARE_LESSTHANOREQUALTO": le,
    "COMPARE_GREATERTHANOREQUALTO": ge,
    "COMPARE_DISTINCT_FROM": lambda left, right: ~left.identical_to(right),
    "COMPARE_NOT_DISTINCT_FROM": lambda left, right: left.identical_to(right),
}
_OPERATORS: dict[str, Callable[..., Any]] = {
    "+": add,
    "-": lambda left, right=None: neg(left) if right is None else sub(left, right),
    "*": mul,
    "/": truediv,
    "//": floordiv,
    "%": mod,
    "**": pow,
    "^": pow,
    "||": lambda left, right: left.cast(dt.string) + right.cast(dt.string),
    "~~": lambda text, pattern: text.like(pattern),
    "!~~": lambda text, pattern: ~text.like(pattern),
    "~~*": lambda text, pattern: text.ilike(pattern),
    "!~~*": lambda text, pattern: ~text.ilike(pattern),
    "~": regexp_matches,
    "->>": json_text,
}
_INTERVAL = re.compile(r"\s*(-?\d+)\s+(year|month|week|day|hour|minute|second)s?\s*", re.IGNORECASE)
_NOTHING_ELSE = ("where_clause", "having", "sample", "qualify", "group_expressions", "modifiers")


def compile_value(text: str, table: ibis.Table, connection: duckdb.DuckDBPyConnection) -> ibis.Value:
    """A value of each row. Raises InvalidExpression, UnknownColumn, TypeMismatch."""
    return _Compiler(text, table, aggregates=False).build(_parse(text, connection))


def compile_condition(
    text: str, table: ibis.Table, connection: duckdb.DuckDBPyConnection
) -> ibis.BooleanValue:
    """True or false for each row."""
    value = compile_value(text, table, connection)
    if not (value.type().is_boolean() or value.type().is_null()):
        raise TypeMismatch(f"`{text}` is {words(value.type())}, and a condition is true or false")
    return value.cast(dt.boolean)


def compile_figure(text: str, table: ibis.Table, connection: duckdb.DuckDBPyConnection) -> ibis.Scalar:
    """One value of all rows, such as `sum(price * quantity) / count(*)`."""
    value = _Compiler(text, table, aggregates=True).build(_parse(text, connection))
    if not value.op().shape.is_scalar():
        raise InvalidExpression(
            f"`{text}` has a value for each row; put the columns into functions such as sum()"
        )
    return value


def _parse(text: str, connection: duckdb.DuckDBPyConnection) -> Node:
    """The tree of a text that is one expression and nothing more."""
    try:
        node: Node = parse_select(connection, text, InvalidExpression, prefix="SELECT ")["node"]
    except SqlNotAllowed as error:
        raise InvalidExpression(f"`{text}` is more than one expression") from error
    items: list[Node] = node.get("select_list", [])
    alone = (
        node["type"] == "SELECT_NODE"
        and len(items) == 1
        and node["from_table"]["type"] == "EMPTY"
        and not node["cte_map"]["map"]
        and not any(node.get(part) for part in _NOTHING_ELSE)
        and not items[0].get("alias")
    )
    if not alone:
        raise InvalidExpression(f"`{text}` is more than one expression")
    return items[0]


class _Compiler:
    """Builds one expression. Methods are named after the classes of DuckDB's tree."""

    def __init__(self, text: str, table: ibis.Table, *, aggregates: bool) -> None:
        self._text = text
        self._table = table
        self._aggregates = aggregates
        self._depth = 0
        self._inside_figure = False

    def build(self, node: Node) -> ibis.Value:
        build: Callable[[Node], ibis.Value] | None = getattr(self, f"_{node['class'].lower()}", None)
        if build is None:
            raise InvalidExpression(
                f"`{self._text}`: expressions have no {node['class'].lower().replace('_', ' ')}"
            )
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidExpression(f"The expression is nested more than {MAX_DEPTH} levels deep")
        try:
            return build(node)
        except (IbisError, ValidationError, TypeError, AttributeError, ValueError) as error:
            raise TypeMismatch(f"`{self._text}`: {_reason(error)}") from error
        finally:
            self._depth -= 1

    def _all(self, nodes: Sequence[Node]) -> list[Any]:
        return [self.build(node) for node in nodes]

    def _column_ref(self, node: Node) -> ibis.Value:
        first, *fields = node["column_names"]
        value = column(self._table, first)
        for name in fields:
            value = self._field(value, name)
        return value

    def _field(self, value: Any, name: str) -> ibis.Value:
        kind = value.type()
        if (kind.is_struct() and name in kind.names) or kind.is_json() or kind.is_map():
            return value[name]
        raise InvalidExpression(f"`{self._text}`: there is no `{name}` in {words(kind)}")

    def _constant(self, node: Node) -> ibis.Value:
        text = node["literal"]["text"].replace("_", "")
        match node["literal"]["kind"]:
            case "INTEGER":
                return ibis.literal(int(text)) if abs(int(text)) < 2**63 else ibis.literal(float(text))
            case "NUMERIC":
                return ibis.literal(float(text))
            case "STRING":
                return ibis.literal(node["literal"]["text"], type=dt.string)
            case "BOOLEAN":
                return ibis.literal(text == "true")
            case "NULL_LITERAL":
                return ibis.null()
            case kind:
                raise InvalidExpression(f"`{self._text}`: expressions have no {kind.lower()} literals")

    def _comparison(self, node: Node) -> ibis.Value:
        left, right = self._fitted([self.build(node["left"]), self.build(node["right"])])
        return _COMPARISONS[node["type"]](left, right)

    def _between(self, node: Node) -> ibis.Value:
        value, lower, upper = self._fitted(self._all([node["input"], node["lower"], node["upper"]]))
        return value.between(lower, upper)

    def _fitted(self, values: list[Any]) -> list[Any]:
        """Texts written out become dates where they are compared with one; JSON is compared as text."""
        moments = [value for value in values if value.type().is_temporal() or value.type().is_uuid()]
        if moments:
            kind = moments[0].type()
            values = [
                literal_for(value.op().value, kind, "compared with it") if _is_text_literal(value) else value
                for value in values
            ]
        return [comparable(value) for value in values]

    def _conjunction(self, node: Node) -> ibis.Value:
        combine = and_ if node["type"] == "CONJUNCTION_AND" else or_
        return reduce(combine, map(self._truth, self._all(node["children"])))

    def _truth(self, value: Any) -> Any:
        if not (value.type().is_boolean() or value.type().is_null()):
            raise TypeMismatch(f"`{self._text}`: {words(value.type())} stands where true or false is needed")
        return value.cast(dt.boolean)

    def _operator(self, node: Node) -> ibis.Value:
        values = self._all(node["children"])
        match node["type"]:
            case "OPERATOR_NOT":
                return ~self._truth(values[0])
            case "OPERATOR_IS_NULL":
                return values[0].isnull()
            case "OPERATOR_IS_NOT_NULL":
                return values[0].notnull()
            case "COMPARE_IN" | "COMPARE_NOT_IN":
                value, *others = self._fitted(values)
                return value.isin(others) if node["type"] == "COMPARE_IN" else value.notin(others)
            case "OPERATOR_COALESCE":
                return ibis.coalesce(*values)
            case "ARRAY_EXTRACT":
                return self._element(*values)
            case kind:
                raise InvalidExpression(
                    f"`{self._text}`: expressions have no {kind.lower().replace('_', ' ')}"
                )

    def _element(self, value: Any, index: Any) -> ibis.Value:
        """SQL counts from 1, from the end with negative numbers; Ibis from 0."""
        if value.type().is_array():
            position = int(constant(index, "The position in a list"))
            return value[position - 1 if position > 0 else position]
        if value.type().is_map():
            return value[index]
        return self._field(value, str(index.op().value)) if _is_text_literal(index) else value[index]

    def _case(self, node: Node) -> ibis.Value:
        branches = [
            (self._truth(self.build(check["when_expr"])), self.build(check["then_expr"]))
            for check in node["case_checks"]
        ]
        return ibis.cases(*branches, else_=self.build(node["else_expr"]))

    def _cast(self, node: Node) -> ibis.Value:
        wanted = node["type_expr"]
        arguments = ", ".join(child["literal"]["text"] for child in wanted["children"])
        name = wanted["type_name"] + (f"({arguments})" if arguments else "")
        if name.upper() == "INTERVAL":
            return self._interval(node["child"])
        kind = DuckDBType.from_string(name)
        if isinstance(kind, dt.Unknown) or kind.is_nested():
            raise InvalidExpression(f"`{self._text}`: there is no type {name} to cast to")
        value = self.build(node["child"])
        return value.try_cast(kind) if node["try_cast"] else value.cast(kind)

    def _interval(self, node: Node) -> ibis.Value:
        written = _INTERVAL.fullmatch(node.get("literal", {}).get("text", ""))
        if not written:
            raise InvalidExpression(f"`{self._text}`: write intervals as INTERVAL '3 days'")
        return ibis.interval(int(written[1]), unit=written[2].lower())

    def _function(self, node: Node) -> ibis.Value:
        name = node["function_name"]
        if len(node["qualified_name"]["path"]) != 1 or any(item["name"] for item in node["arguments"]):
            raise InvalidExpression(
                f"`{self._text}`: `{name}` is written with its name and its arguments only"
            )
        if node["order_bys"]["orders"]:
            raise InvalidExpression(f"`{self._text}`: ORDER BY is not possible inside functions")
        if node["is_operator"] or name in _OPERATORS:
            return self._apply_operator(node)
        if name == "count_star":
            return self._figure(FUNCTIONS["count"], node)
        found = function_named(name)
        if found.aggregates:
            return self._figure(found, node)
        if node["filter"] or node["distinct"]:
            raise InvalidExpression(f"`{self._text}`: `{name}` takes neither DISTINCT nor FILTER")
        value: ibis.Value = found(name, self._arguments(node))
        return value

    def _apply_operator(self, node: Node) -> ibis.Value:
        name = node["function_name"]
        if name not in _OPERATORS:
            raise InvalidExpression(f"`{self._text}`: expressions have no operator {name}")
        value: ibis.Value = _OPERATORS[name](*self._arguments(node))
        return value

    def _arguments(self, node: Node) -> list[Any]:
        return self._all([item["expression"] for item in node["arguments"]])

    def _figure(self, found: Function, node: Node) -> ibis.Value:
        """A function of all rows."""
        name = node["function_name"].removesuffix("_star")
        if not self._aggregates:
            raise InvalidExpression(
                f"`{self._text}`: {name}() is of many rows; use the operation `aggregate`"
            )
        if self._inside_figure:
            raise InvalidExpression(f"`{self._text}`: {name}() stands inside another function of many rows")
        self._inside_figure = True
        arguments = self._arguments(node)
        where = self._truth(self.build(node["filter"])) if node["filter"] else None
        self._inside_figure = False
        value: ibis.Value
        if node["function_name"] == "count_star":
            value = self._table.count(where=where)
        elif node["distinct"]:
            if name != "count" or len(arguments) != 1:
                raise InvalidExpression(f"`{self._text}`: DISTINCT is only possible in count()")
            value = arguments[0].nunique(where=where)
        else:
            value = found(name, arguments, where=where)
        return value


def _is_text_literal(value: Any) -> bool:
    return value.type().is_string() and hasattr(value.op(), "value")


def _reason(error: Exception) -> str:
    """Ibis's complaint without its pictures of tables."""
    text = str(error).strip()
    if isinstance(error, AttributeError) or "\n" in text or len(text) > 200:
        return "the types of its parts do not fit together"
    return text
