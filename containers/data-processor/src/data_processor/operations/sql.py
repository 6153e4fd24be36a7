"""`sql`: a user's query over datasets.

The query is parsed by DuckDB, its tree is checked against lists of what is allowed, the tables in it are
replaced by our views of the datasets named, and what runs is the text made from that tree: never the user's
own text. So a query can name nothing that was not put into the tree by us. Behind this stand the settings
of the connection (no files but the job's), and behind them the sandbox of the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import duckdb
import ibis

from ai_semble.schemas.data import Sql
from data_processor.engine.failures import first_line
from data_processor.engine.parsing import Node, parse_select, to_sql, walk
from data_processor.engine.session import Session
from data_processor.errors import DataRequired, InvalidSql, SqlNotAllowed
from data_processor.operations.frame import Frame

INPUT = "input"
TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree"})
_EXPRESSIONS = frozenset(
    "BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA OPERATOR "  # noqa: SIM905
    "POSITIONAL_REFERENCE STAR SUBQUERY TYPE WINDOW".split()
)
_PARTS = frozenset(
    "SELECT_NODE SET_OPERATION_NODE RECURSIVE_CTE_NODE CTE_NODE BASE_TABLE SUBQUERY JOIN EMPTY "  # noqa: SIM905
    "EXPRESSION_LIST TABLE_FUNCTION PIVOT LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER ORDER_MODIFIER "
    "DISTINCT_MODIFIER ORDER_DEFAULT ASCENDING DESCENDING".split()
)
_HEAVY_PARTS = frozenset({"SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "JOIN", "PIVOT", "DISTINCT_MODIFIER"})


@dataclass(frozen=True)
class _Query:
    """A checked tree, the tables in it that are not its own CTEs, and whether it works row by row."""

    tree: Node
    tables: tuple[Node, ...]
    streams: bool


def run_sql(operation: Sql, frame: Frame | None, session: Session) -> Frame:
    """The answer of a query. Raises InvalidSql, SqlNotAllowed, UnknownDataset, DataRequired."""
    query = check(parse_select(session.connection, operation.query, InvalidSql))
    for node in query.tables:
        _replace(node, _table(node["table_name"], frame, session))
    try:
        table = session.view(to_sql(session.connection, query.tree))
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
        raise InvalidSql(first_line(str(error))) from error
    streams = query.streams and (frame is None or frame.streams)
    return Frame(table, streams)


def check(tree: Node) -> _Query:
    """Refuses whatever is not known to be harmless. Raises SqlNotAllowed."""
    nodes = list(walk(tree))
    for node in nodes:
        _check_node(node)
    named = [item["key"] for node in nodes if "cte_map" in node for item in node["cte_map"]["map"]]
    if odd := [name for name in named if not name.replace("_", "a").isalnum()]:
        raise SqlNotAllowed(f"`{odd[0]}` is not a name for a WITH query; use letters, digits and underscores")
    return _Query(tree, tuple(_other_tables(tree)), not any(_is_heavy(node) for node in nodes))


def _other_tables(tree: Node) -> Iterator[Node]:
    """The tables that are no WITH query which can be seen from where they stand.

    Whatever is left out here is for DuckDB to find, and where its WITH query cannot be seen it would find a
    view of its own catalogue. So a WITH query is seen by later ones and by what it belongs to, and by itself
    only in the second part of a recursive one.
    """
    waiting: list[tuple[Any, frozenset[str]]] = [(tree, frozenset())]
    while waiting:
        node, seen = waiting.pop()
        if isinstance(node, list):
            waiting.extend((item, seen) for item in node)
        elif isinstance(node, dict):
            if node.get("type") == "BASE_TABLE" and _folded(node["table_name"]) not in seen:
                yield node
            for item in node.get("cte_map", {}).get("map", ()):
                waiting.append((item["value"], seen))
                seen |= {_folded(item["key"])}
            itself = {_folded(node["cte_name"])} if node.get("type") == "RECURSIVE_CTE_NODE" else set()
            parts = ((key, part) for key, part in node.items() if key != "cte_map")
            waiting.extend((part, seen | itself if key == "right" else seen) for key, part in parts)


def _folded(name: str) -> str:
    """DuckDB takes names for the same that differ in the case of ASCII letters, and no others."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def _check_node(node: Node) -> None:
    kind = node.get("class")
    if kind is not None and kind not in _EXPRESSIONS:
        raise SqlNotAllowed(f"A query here has no {str(kind).lower().replace('_', ' ')}")
    if kind is None and isinstance(node.get("type"), str) and node["type"] not in _PARTS:
        raise SqlNotAllowed(f"A query here has no {node['type'].lower().replace('_', ' ')}")
    if kind in ("FUNCTION", "WINDOW"):
        _check_function(node)
    if node.get("type") == "BASE_TABLE":
        _check_table(node)
    if node.get("type") == "TABLE_FUNCTION":
        _check_table_function(node["function"])


def _check_function(node: Node) -> None:
    name = node["function_name"]
    if len(node["qualified_name"]["path"]) != 1:
        raise SqlNotAllowed(f"The function `{name}` is written without a schema")
    if not {name, name.lower()} & (allowed_functions().names | TABLE_FUNCTIONS):
        raise SqlNotAllowed(f"The function `{name}` is not allowed")


def _check_table_function(node: Node) -> None:
    if node.get("class") != "FUNCTION" or node["function_name"].lower() not in TABLE_FUNCTIONS:
        name = node.get("function_name", "this")
        raise SqlNotAllowed(
            f"The table function `{name}` is not allowed; a query reads datasets by their names"
        )


def _check_table(node: Node) -> None:
    if len(node["qualified_name"]["path"]) != 1:
        raise SqlNotAllowed(f"The table `{node['table_name']}` is written without a schema or catalogue")
    if node["at_clause"] is not None:
        raise SqlNotAllowed("Datasets have no earlier versions to read AT")


def _is_heavy(node: Node) -> bool:
    if str(node.get("type")) in _HEAVY_PARTS or node.get("class") == "WINDOW":
        return True
    if node.get("group_expressions") or node.get("sample"):
        return True
    return node.get("class") == "FUNCTION" and node["function_name"].lower() in allowed_functions().aggregates


def _table(name: str, frame: Frame | None, session: Session) -> ibis.Table:
    if name.casefold() == INPUT:
        if frame is None:
            raise DataRequired("The query reads `input`, and the request has no `data`")
        return session.saved(frame.table)
    return session.dataset(name.casefold())


def _replace(node: Node, table: ibis.Table) -> None:
    """Make a table reference one to our view, still known to the query by the name that it used."""
    node["alias"] = node["alias"] or node["table_name"]
    node["table_name"] = table.get_name()
    node["qualified_name"] = {**node["qualified_name"], "path": [table.get_name()]}


@dataclass(frozen=True)
class _Functions:
    """What `sql_functions.txt` lists; aggregates have a Σ behind their name."""

    names: frozenset[str]
    aggregates: frozenset[str]


@cache
def allowed_functions() -> _Functions:
    text = files("data_processor.operations").joinpath("sql_functions.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("# ")]
    aggregates = frozenset(line.removesuffix(" Σ") for line in lines if line.endswith(" Σ"))
    return _Functions(frozenset(line.removesuffix(" Σ") for line in lines), aggregates)
