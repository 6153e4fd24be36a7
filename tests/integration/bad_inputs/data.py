"""POST /data/process and the datasets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.integration.bad_inputs.case import Bad, invalid

PATH = "/data/process"
ROWS: dict[str, Any] = {"data": {"records": [{"id": 1, "value": 100, "name": "a"}, {"id": 2, "value": None}]}}


def cases() -> Iterator[Bad]:
    yield from shapes()
    yield from operations()
    yield from columns()
    yield from queries()
    yield from datasets()


def bad(operation: str, name: str, names: str, **more: Any) -> Bad:
    return invalid(f"{operation}: {name}", PATH, {"operation": operation, **ROWS, **more}, names)


def shapes() -> Iterator[Bad]:
    yield invalid("data: nothing at all", PATH, {}, "operation")
    yield invalid("data: no operation", PATH, ROWS, "operation")
    yield invalid("data: unknown operation", PATH, ROWS | {"operation": "explode"}, "operation")
    yield invalid("data: operation is a list", PATH, ROWS | {"operation": ["analyze"]}, "operation")
    yield bad("analyze", "no records", "data", data={"records": []})
    yield bad("analyze", "records are a string", "data", data={"records": "x"})
    yield bad("analyze", "a record is a number", "data", data={"records": [1]})
    yield bad("analyze", "a record is null", "data", data={"records": [None]})
    yield bad("analyze", "two sources", "data", data={"records": [{"a": 1}], "dataset": "x"})
    yield bad("analyze", "data of an unknown kind", "data", data={"file": "/etc/passwd"})
    yield bad("analyze", "a path as a dataset", "data", data={"dataset": "../../etc/passwd"})
    yield bad("analyze", "an absolute path as a dataset", "data", data={"dataset": "/etc/passwd"})
    yield bad("analyze", "negative limit", "limit", limit=-1)
    yield bad("analyze", "limit is a word", "limit", limit="all")
    yield bad("analyze", "unknown field", "colums", colums=["id"])
    yield bad("analyze", "negative bins", "bins", bins=-1)
    yield bad("analyze", "too many top values", "top", top=101)
    yield bad("filter", "output to a path", "output", where="id > 1", output={"dataset": "../x"})
    yield bad(
        "filter",
        "output in an unknown format",
        "output",
        where="id > 1",
        output={"dataset": "x", "format": "pdf"},
    )


def operations() -> Iterator[Bad]:
    yield bad("filter", "no condition", "where")
    yield bad("filter", "unknown comparison", "where", where={"column": "id", "op": "almost", "value": 1})
    yield bad("filter", "condition is a list", "where", where=[1])
    yield bad("filter", "an empty and", "where", where={"and": []})
    yield bad("derive", "no columns", "columns")
    yield bad("derive", "empty columns", "columns", columns={})
    yield bad("sort", "no keys", "by")
    yield bad("sort", "no key in the list", "by", by=[])
    yield bad("sort", "nulls in the middle", "by", by=[{"column": "id", "nulls": "middle"}])
    yield bad("aggregate", "nothing to compute", "aggregates", group_by=["id"])
    yield bad(
        "aggregate", "unknown function", "aggregates", aggregates={"x": {"function": "magic", "column": "id"}}
    )
    yield bad(
        "aggregate",
        "quantile over one",
        "aggregates",
        aggregates={"x": {"function": "quantile", "column": "id", "quantile": 2}},
    )
    yield bad("join", "no other table", "right", on=["id"])
    yield bad(
        "join", "unknown kind of join", "how", right={"records": [{"id": 1}]}, on=["id"], how="outer-ish"
    )
    yield bad("pivot", "no column", "column", rows=["id"], values="value")
    yield bad(
        "pivot", "unknown function", "function", rows=["id"], column="name", values="value", function="avg"
    )
    yield bad("deduplicate", "keep the middle", "keep", keep="middle")
    yield bad("fill", "no columns", "columns")
    yield bad("fill", "unknown method", "columns", columns={"value": {"method": "guess"}})
    yield bad("sample", "no rows", "rows", rows=0)
    yield bad("sample", "more than all", "fraction", fraction=1.5)
    yield bad("validate", "no rules", "rules")
    yield bad("validate", "an empty list of rules", "rules", rules=[])
    yield bad("validate", "unknown check", "rules", rules=[{"check": "nice", "column": "id"}])
    yield bad("convert", "unknown type", "types", types={"id": "complex"})
    yield bad("sql", "no query", "query")
    yield bad("sql", "an empty query", "query", query="")
    yield bad("pipeline", "no steps", "steps")
    yield bad("pipeline", "an empty list of steps", "steps", steps=[])
    yield bad("pipeline", "a pipeline in a pipeline", "steps", steps=[{"operation": "pipeline", "steps": []}])


def columns() -> Iterator[Bad]:
    """Columns that are not there."""
    missing: dict[str, dict[str, Any]] = {
        "filter": {"where": {"column": "valeu", "op": "gt", "value": 1}},
        "select": {"columns": ["valeu"]},
        "derive": {"columns": {"x": "valeu + 1"}},
        "sort": {"by": ["valeu"]},
        "aggregate": {"group_by": ["valeu"], "aggregates": {"n": {"function": "count"}}},
        "pivot": {"rows": ["id"], "column": "valeu", "values": "value"},
        "deduplicate": {"columns": ["valeu"]},
        "fill": {"columns": {"valeu": 1}},
        "validate": {"rules": [{"check": "not_null", "column": "valeu"}]},
        "convert": {"types": {"valeu": "string"}},
        "join": {"right": {"records": [{"id": 1}]}, "on": ["valeu"]},
        "analyze": {"columns": ["valeu"]},
    }
    for operation, more in missing.items():
        body = {"operation": operation, **ROWS, **more}
        yield Bad(f"{operation}: a column that is not there", PATH, 422, "unknown_column", json=body)


def queries() -> Iterator[Bad]:
    for query in (
        "DROP TABLE input",
        "DELETE FROM input",
        "INSERT INTO input VALUES (1)",
        "UPDATE input SET id = 2",
        "CREATE TABLE x AS SELECT 1",
        "COPY input TO '/tmp/x.csv'",
        "ATTACH '/tmp/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit='100GB'",
        "PRAGMA database_list",
        "CALL duckdb_settings()",
        "SELECT 1; SELECT 2",
        "EXPORT DATABASE '/tmp/x'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT getenv('HOME')",
    ):
        body = {"operation": "sql", "query": query, **ROWS}
        yield Bad(f"sql: {query}", PATH, 422, "sql_not_allowed", json=body)
    for place in ("/etc/passwd", "http://127.0.0.1:8081/health", "s3://bucket/key", "../secret.parquet"):
        query = f"SELECT * FROM '{place}'"
        yield Bad(
            f"sql: {query}", PATH, 404, "unknown_dataset", json={"operation": "sql", "query": query, **ROWS}
        )
    for query in ("SELEC 1", "SELECT", "SELECT * FROM", "hello"):
        yield Bad(
            f"sql: {query!r}", PATH, 422, "invalid_sql", json={"operation": "sql", "query": query, **ROWS}
        )


def datasets() -> Iterator[Bad]:
    body = {"operation": "analyze", "data": {"dataset": "no-such-dataset"}}
    yield Bad("a dataset that is not there", PATH, 404, "unknown_dataset", json=body)
    path = "/data/datasets/no-such-dataset"
    yield Bad("describe a dataset that is not there", path, 404, "unknown_dataset", method="GET")
    yield Bad("delete a dataset that is not there", path, 404, "unknown_dataset", method="DELETE")
    yield Bad("download a dataset that is not there", f"{path}/content", 404, "unknown_dataset", method="GET")
    for name in ("UPPER", "with space", "a.b", "_x", "x" * 65):
        path = f"/data/datasets/{name}?format=csv"
        title = f"upload to the name {name[:20]!r}"
        yield Bad(title, path, 422, "invalid_dataset_name", method="PUT", content=b"a\n1\n")
    for name in ("..", "%2e%2e%2fx"):
        path = f"/data/datasets/{name}?format=csv"
        title = f"upload to the path {name!r}"
        yield Bad(title, path, 404, "not_found", method="PUT", content=b"a\n1\n")
    for form, content in {"parquet": b"PAR1 no", "xlsx": b"PK no", "json": b"{", "arrow": b"ARROW1"}.items():
        path = f"/data/datasets/broken-{form}?format={form}"
        yield Bad(f"upload of a broken {form}", path, 422, "unreadable_data", method="PUT", content=content)
    yield Bad(
        "upload of nothing",
        "/data/datasets/empty?format=csv",
        422,
        "empty_data",
        method="PUT",
        content=b"",
    )
    yield Bad(
        "upload in an unknown format",
        "/data/datasets/x?format=doc",
        422,
        "invalid_request",
        method="PUT",
        content=b"x",
    )
