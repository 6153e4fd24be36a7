"""Data operations through 8080 against the same query on bare DuckDB, on ten million rows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import httpx

from tests.load.report import Row
from tests.support.worlds import World

SLACK_S, FACTOR = 0.1, 1.15

# Operation as a user writes it, and the same as DuckDB's own SQL over the same file.
OPERATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "filter": (
        {"operation": "filter", "where": "amount > 990 AND country = 'c7'", "limit": 1000},
        "SELECT * FROM t WHERE amount > 990 AND country = 'c7'",
    ),
    "aggregate": (
        {
            "operation": "aggregate",
            "group_by": ["country"],
            "aggregates": {"n": {"function": "count"}, "total": {"function": "sum", "column": "amount"}},
        },
        "SELECT country, count(*) AS n, sum(amount) AS total FROM t GROUP BY country",
    ),
    "sort": (
        {"operation": "sort", "by": [{"column": "amount", "descending": True}, "id"], "limit": 1000},
        "SELECT * FROM t ORDER BY amount DESC, id LIMIT 1000",
    ),
    "sql": (
        {
            "operation": "sql",
            "query": "SELECT country, avg(amount) AS mean FROM input GROUP BY country ORDER BY mean DESC",
        },
        "SELECT country, avg(amount) AS mean FROM t GROUP BY country ORDER BY mean DESC",
    ),
}


def measure(world: World, folder: Path, *, quick: bool) -> Iterator[Row]:
    rows, turns = (1_000_000, 3) if quick else (10_000_000, 5)
    file = folder / "big.parquet"
    generate(file, rows)
    with httpx.Client(base_url=world.url, timeout=600) as http, duckdb.connect() as bare:
        bare.execute("SET threads = 2")
        bare.execute(f"CREATE VIEW t AS SELECT * FROM read_parquet('{file}')")
        with file.open("rb") as stream:
            http.put("/data/datasets/big?format=parquet", content=stream).raise_for_status()
        for name, (operation, query) in OPERATIONS.items():
            body = operation | {"data": {"dataset": "big"}}
            yield compare(
                f"{name}, {rows:,} rows",
                partial(post, http, body),
                partial(fetch, bare, query),
                turns,
            )


def post(http: httpx.Client, body: dict[str, Any]) -> None:
    http.post("/data/process", json=body).raise_for_status()


def fetch(bare: duckdb.DuckDBPyConnection, query: str) -> None:
    """The first rows; of a filter also how many there are, which our answer says and costs a second pass."""
    bare.execute(query).fetchmany(1000)
    if "WHERE" in query:
        bare.execute(f"SELECT count(*) FROM ({query})").fetchall()


def compare(what: str, ours: Callable[[], Any], theirs: Callable[[], Any], turns: int) -> Row:
    """Median seconds of each, in turns. The target is 1.15 times bare DuckDB and 100 ms."""
    ours(), theirs()
    times = [(seconds(ours), seconds(theirs)) for _ in range(turns)]
    mine, other = (statistics.median(column) for column in zip(*times, strict=True))
    met = mine <= other * FACTOR + SLACK_S
    # Less is better here, so the ratio is turned round: more is better everywhere in the table.
    return Row("data", what, mine, "s", "bare DuckDB", other, other / mine, "<= 1.15x + 0.1 s", met)


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def generate(file: Path, rows: int) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT range AS id, 'c' || (range % 50) AS country, (hash(range) % 100000) / 100 AS amount, "
            f"DATE '2020-01-01' + CAST(range % 2000 AS INTEGER) AS day FROM range({rows})) "
            f"TO '{file}' (FORMAT parquet)"
        )
