"""SQL text to a syntax tree and back, by DuckDB's own parser: what is checked is what runs.

Nothing here executes the text. A tree is the JSON that `json_serialize_sql` gives, a `Node` one object in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import duckdb
import orjson

from ai_semble.errors import AiSembleError
from data_processor.errors import SqlNotAllowed

Node: TypeAlias = dict[str, Any]


def parse_select(
    connection: duckdb.DuckDBPyConnection, text: str, broken: type[AiSembleError], prefix: str = ""
) -> Node:
    """The tree of the one SELECT that a text is, with a prefix of ours.

    Raises `broken` with the place, or SqlNotAllowed.
    """
    if "\0" in text:
        raise broken("The text has a NUL character")
    try:
        found = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [prefix + text]).fetchall()[0][0]
    except duckdb.Error as error:
        raise broken(f"It cannot be parsed: {str(error).splitlines()[0]}") from error
    try:
        tree: Node = orjson.loads(found)
    except orjson.JSONDecodeError as error:  # it stops at 1,024 levels
        raise broken("It is nested too deeply") from error
    if tree["error"]:
        raise _refusal(tree, text, broken, len(prefix))
    statements: list[Node] = tree.get("statements", [])
    if len(statements) != 1:
        raise SqlNotAllowed(f"There are {len(statements)} statements, and one is needed")
    return statements[0]


def _refusal(tree: Node, text: str, broken: type[AiSembleError], offset: int) -> AiSembleError:
    message = str(tree["error_message"]).splitlines()[0]
    if tree["error_type"] == "not implemented":
        return SqlNotAllowed("The statement is not a SELECT; a PIVOT must name its columns with IN")
    position = str(tree.get("position") or "")
    if position.isdigit():
        place = max(0, int(position) - offset)
        line = text.count("\n", 0, place) + 1
        message += f", at character {place + 1}" + (f" (line {line})" if line > 1 else "")
    return broken(f"It cannot be parsed: {message}")


def to_sql(connection: duckdb.DuckDBPyConnection, statement: Node) -> str:
    """The text of a tree, without comments and without anything that the tree does not have."""
    tree = orjson.dumps({"error": False, "statements": [statement]}).decode()
    return str(connection.execute("SELECT json_deserialize_sql(?::JSON)", [tree]).fetchall()[0][0])


def walk(tree: Any) -> Iterator[Node]:
    """Every object of a tree."""
    waiting = [tree]
    while waiting:
        match waiting.pop():
            case dict() as node:
                yield node
                waiting.extend(node.values())
            case list() as nodes:
                waiting.extend(nodes)
