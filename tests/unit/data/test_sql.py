"""User SQL: what it can do, and everything that it cannot."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import duckdb
import pytest

from ai_semble.errors import AiSembleError
from data_processor.errors import DataRequired, InvalidSql, SqlNotAllowed, UnknownDataset
from data_processor.operations.sql import TABLE_FUNCTIONS, allowed_functions
from tests.support.attacks import attack
from tests.unit.data.bench import Bench

ROWS: list[dict[str, Any]] = [{"id": 1, "v": 10}, {"id": 2, "v": None}, {"id": 3, "v": 30}]


@pytest.fixture(scope="module")
def sales(bench: Bench) -> Bench:
    bench.add("sales", b"id,country,amount\n1,JP,10.5\n2,NO,20\n3,JP,\n")
    bench.add("sales-2026", b'{"id": 9, "country": "SE"}\n', "jsonl")
    return bench


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT id FROM input ORDER BY id DESC", [{"id": 3}, {"id": 2}, {"id": 1}]),
        ("select sum(v) as s, count(*) n from INPUT", [{"s": 40, "n": 3}]),
        ("FROM sales SELECT sum(amount) AS t GROUP BY country ORDER BY 1", [{"t": 10.5}, {"t": 20.0}]),
        ('SELECT "sales-2026".country FROM "sales-2026"', [{"country": "SE"}]),
        ("SELECT s.id FROM Sales AS s JOIN input i USING (id) WHERE i.v > 10", [{"id": 3}]),
        ("WITH big AS (SELECT * FROM input WHERE v > 10) SELECT id FROM big", [{"id": 3}]),
        ("WITH input AS (SELECT * FROM input WHERE v > 10) SELECT id FROM input", [{"id": 3}]),
        ("SELECT count(*) AS n FROM input TABLESAMPLE 100%", [{"n": 3}]),
        ("WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n + 1 FROM r WHERE n < 4) SELECT max(n) m FROM r", [{"m": 4}]),
        ("SELECT id, rank() OVER (ORDER BY v DESC NULLS LAST) AS r FROM input ORDER BY r LIMIT 1", [{"id": 3, "r": 1}]),
        ("SELECT (SELECT max(v) FROM input) AS m", [{"m": 30}]),
        ("SELECT id FROM input WHERE EXISTS (FROM sales WHERE sales.id = input.id AND country = 'NO')", [{"id": 2}]),
        ("SELECT id FROM input UNION SELECT 7 ORDER BY 1 DESC LIMIT 1", [{"id": 7}]),
        ("SELECT * EXCLUDE (v) FROM input WHERE id = 1", [{"id": 1}]),
        ("SELECT list_transform([1, 2], lambda x: x * 2) AS l", [{"l": [2, 4]}]),
        ("SELECT unnest([1, 2]) AS u", [{"u": 1}, {"u": 2}]),
        ("SELECT i FROM range(2) t(i)", [{"i": 0}, {"i": 1}]),
        ("SELECT * FROM input PIVOT (sum(v) FOR id IN (1, 3))", [{"1": 10, "3": 30}]),
        ("VALUES (1)", [{"col0": 1}]),
        ("SELECT 1 AS x; -- and no more", [{"x": 1}]),
        ("SELECT '; DROP TABLE sales' AS x", [{"x": "; DROP TABLE sales"}]),
        ("SELECT TRY_CAST('x' AS integer) AS n, v::varchar AS t FROM input WHERE id = 1", [{"n": None, "t": "10"}]),
    ],
)  # fmt: skip
def test_a_select_over_datasets_and_input_is_answered(
    sales: Bench, query: str, expected: list[dict[str, object]]
) -> None:
    assert sales.sql(query, ROWS) == expected


ATTACKS = [
    # Files
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/shadow')",
    "SELECT * FROM read_json('/etc/os-release')",
    "SELECT * FROM read_parquet('/tmp/x.parquet')",
    "SELECT * FROM read_ndjson_objects('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/tmp/x.parquet')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM read_duckdb('/tmp/x.db')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '/etc/passwd.csv'",
    'SELECT * FROM "/etc/passwd.csv"',
    "SELECT * FROM 'http://127.0.0.1/x.csv'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT * FROM '~/.ssh/id_rsa'",
    "WITH \"/etc/passwd.csv\" AS (SELECT 1) SELECT (SELECT count(*) FROM '/etc/passwd.csv')",
    # DuckDB's own views, behind a WITH query of the same name that cannot be seen from there
    "WITH sqlite_master AS (SELECT * FROM sqlite_master) SELECT * FROM sqlite_master",
    "SELECT * FROM duckdb_logs, (WITH duckdb_logs AS (SELECT 1 AS a) SELECT * FROM duckdb_logs) x",
    "WITH RECURSIVE duckdb_views AS (FROM duckdb_views UNION ALL FROM duckdb_views) FROM duckdb_views",
    "WITH duckdb_log\u017f AS (SELECT 1) SELECT * FROM duckdb_logs",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "SELECT * FROM input WHERE id IN (SELECT size FROM read_text('/etc/passwd'))",
    "SELECT * FROM input, LATERAL (SELECT * FROM glob('/*'))",
    "SELECT * FROM input ORDER BY (SELECT count(*) FROM glob('/*'))",
    "SELECT * FROM input LIMIT (SELECT count(*) FROM glob('/*'))",
    "SELECT x FROM input UNION ALL SELECT content FROM read_text('/etc/passwd')",
    "SELECT * FROM main.read_text('/etc/passwd')",
    "SELECT * FROM system.main.read_text('/etc/passwd')",
    # Statements that are no SELECT
    "COPY (SELECT 1) TO '/tmp/out.csv'",
    "COPY input FROM '/etc/passwd'",
    "EXPORT DATABASE '/tmp/out'",
    "IMPORT DATABASE '/tmp/out'",
    "ATTACH '/tmp/x.db'",
    "ATTACH ':memory:' AS m",
    "DETACH memory",
    "USE system",
    "CREATE TABLE t AS SELECT 1",
    "CREATE MACRO m() AS 1",
    "CREATE SECRET (TYPE s3)",
    "DROP VIEW input",
    "INSERT INTO input VALUES (1)",
    "UPDATE input SET v = 1",
    "DELETE FROM input",
    "TRUNCATE input",
    "ALTER TABLE input ADD COLUMN x int",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET threads = 1",
    "SET VARIABLE x = 1",
    "RESET memory_limit",
    "PRAGMA database_list",
    "PRAGMA version",
    "CALL pragma_version()",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "BEGIN",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE SELECT 1",
    "SHOW TABLES",
    "SHOW DATABASES",
    "DESCRIBE input",
    "SUMMARIZE input",
    "SELECT * FROM (SHOW TABLES)",
    "SELECT * FROM (DESCRIBE input)",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW input",
    "",
    "-- nothing",
    # Changes hidden in a SELECT
    "WITH x AS (DELETE FROM input RETURNING *) SELECT * FROM x",
    "WITH x AS (INSERT INTO input VALUES (1, 2) RETURNING *) SELECT * FROM x",
    "WITH x AS (UPDATE input SET v = 1 RETURNING *) SELECT * FROM x",
    "SELECT nextval('s')",
    "SELECT setseed(0.5)",
    "SELECT write_log('x')",
    # The database about itself
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_functions()",
    "SELECT * FROM duckdb_temporary_files()",
    "SELECT * FROM duckdb_logs()",
    "SELECT * FROM pragma_database_size()",
    "SELECT * FROM duckdb_views",
    "SELECT * FROM duckdb_views()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM pg_class",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM system.information_schema.columns",
    "SELECT * FROM temp.input",
    "SELECT * FROM memory.main.input",
    "SELECT * FROM __t1",
    "SELECT current_setting('temp_directory')",
    "SELECT getvariable('x')",
    "SELECT getenv('HOME')",
    "SELECT current_query()",
    "SELECT version()",
    "SELECT pg_typeof(1)",
    # SQL in SQL
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('input')",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT json_serialize_sql('SELECT 1')",
    "SELECT json_serialize_plan('SELECT 1')",
    "SELECT invoke(lambda x: x, 1)",
    # Odds and ends
    "SELECT sleep_ms(100000)",
    "SELECT pg_sleep(100)",
    "SELECT $1",
    "SELECT ?",
    "SELECT main.upper('x')",
    "SELECT * FROM test_all_types()",
    "SELECT * FROM repeat_row(1, num_rows = 10)",
    "SELECT * FROM seq_scan('input')",
    "SELECT * FROM input AT (VERSION => 1)",
    "PIVOT input ON id USING sum(v)",
    "SELECT * FROM nothing_of_this_name",
    "SELECT " + "(" * 2000 + "1" + ")" * 2000,
    "SELECT " + "NOT " * 2000 + "true",
    "SELECT 1 AS \0",
]


@pytest.mark.parametrize("query", ATTACKS)
def test_an_attack_is_refused_before_anything_runs(sales: Bench, query: str) -> None:
    with pytest.raises((SqlNotAllowed, InvalidSql, UnknownDataset, AiSembleError)) as caught:
        sales.sql(query, ROWS)
    assert caught.value.status in (404, 422)
    assert "root:" not in str(caught.value)


@attack(
    threat="A query gets past the check of its tree",
    control="External access is off and the configuration locked, underneath",
    file="containers/data-processor/src/data_processor/engine/connection.py",
)
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO '/tmp/ai-semble-test.csv'",
        "ATTACH '/tmp/ai-semble-test.db'",
        "INSTALL httpfs",
        "LOAD '/tmp/ai-semble-test.duckdb_extension'",
        "SET threads = 8",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "RESET allowed_directories",
        "PRAGMA memory_limit = '100GB'",
        "CREATE PERSISTENT SECRET s (TYPE http)",
    ],
)
def test_even_a_query_that_passed_would_meet_a_locked_database(bench: Bench, statement: str) -> None:
    with pytest.raises(duckdb.Error):
        bench.connection.execute(statement).fetchall()


@attack(
    threat="A query gets past the check and follows a symlink",
    control="Only the folder of the job is allowed",
    file="containers/data-processor/src/data_processor/engine/connection.py",
)
def test_a_file_beside_the_folder_of_the_job_is_out_of_reach(bench: Bench) -> None:
    beside = bench.folder.parent / "beside.csv"
    beside.write_text("a\n1\n")
    link = bench.folder / "link.csv"
    link.unlink(missing_ok=True)
    link.symlink_to(beside)
    for path in (beside, bench.folder / ".." / "beside.csv", link):
        with pytest.raises(duckdb.PermissionException):
            bench.connection.execute(f"FROM read_csv('{path}')").fetchall()


def test_a_query_without_data_may_not_read_input(sales: Bench) -> None:
    with pytest.raises(DataRequired):
        sales.sql("SELECT * FROM input")
    assert sales.sql("SELECT count(*) AS n FROM sales") == [{"n": 3}]


def test_a_broken_query_says_where(sales: Bench) -> None:
    with pytest.raises(InvalidSql, match=r"at character 20 \(line 2\)"):
        sales.sql("SELECT id\nFROM a b c")
    with pytest.raises(InvalidSql, match="amuont"):
        sales.sql("SELECT amuont FROM sales")


def test_sql_in_a_pipeline_reads_what_came_before_it(sales: Bench) -> None:
    steps = [
        {"operation": "filter", "where": "id > 1"},
        {"operation": "sql", "query": "SELECT id, v FROM input"},
        {
            "operation": "sql",
            "query": "SELECT i.id, s.country FROM input i JOIN sales s USING (id) ORDER BY id",
        },
        {"operation": "derive", "columns": {"x": "id * 2"}},
    ]
    made = sales.run(ROWS, operation="pipeline", steps=steps)
    assert made == [{"id": 2, "country": "NO", "x": 4}, {"id": 3, "country": "JP", "x": 6}]


@attack(
    threat="A new DuckDB brings a function that reaches out",
    control="Every function is on the list of allowed or of refused ones",
    file="containers/data-processor/src/data_processor/operations/sql_functions_refused.txt",
)
def test_every_function_of_this_duckdb_was_reviewed() -> None:
    """After an update: read what new functions do, then put each into one of the two lists."""
    text = files("data_processor.operations").joinpath("sql_functions_refused.txt").read_text("utf-8")
    refused = [line for line in text.splitlines() if line and not line.startswith("# ")]
    beginnings = tuple(line.removesuffix("*") for line in refused if line.endswith("*") and len(line) > 2)
    known = allowed_functions().names | set(refused) | TABLE_FUNCTIONS
    kinds = "function_type IN ('scalar', 'aggregate', 'macro', 'window')"
    query = f"SELECT DISTINCT function_name FROM duckdb_functions() WHERE {kinds}"
    names = {name for (name,) in duckdb.connect().execute(query).fetchall()}
    assert not {name for name in names - known if not name.startswith(beginnings)}
    assert not allowed_functions().names & set(refused)


def test_functions_that_reach_out_are_on_no_list() -> None:
    names = allowed_functions().names | TABLE_FUNCTIONS
    assert not [
        name for name in names if name.startswith(("read_", "duckdb_", "pragma_", "pg_", "parquet_", "sniff"))
    ]
    assert not names & {
        "glob",
        "getenv",
        "query",
        "query_table",
        "current_setting",
        "getvariable",
        "json_execute_serialized_sql",
    }
