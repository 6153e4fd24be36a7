"""Runs operations on records in this process, and makes runtimes for services under test."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import orjson

from ai_semble.config import Config
from ai_semble.health import HealthBoard
from ai_semble.metrics import Metrics
from ai_semble.paths import Paths
from ai_semble.service import Runtime
from data_processor.engine.connection import connect, lock
from data_processor.engine.failures import translate
from data_processor.engine.inspecting import inspect
from data_processor.engine.session import Opened, Session
from data_processor.errors import UnknownDataset
from data_processor.workers.child import adapter
from data_processor.workers.jobs import Limits
from data_processor.workers.processing import process

LIMITS = Limits(
    memory=512 * 1024**2, spill=1024**3, threads=2, timeout_s=30, max_rows=10_000, max_answer=32 * 1024**2
)


@dataclass
class Bench:
    """A locked database with a folder."""

    connection: duckdb.DuckDBPyConnection
    folder: Path
    datasets: dict[str, Opened]

    @classmethod
    def open(cls, folder: Path, limits: Limits = LIMITS) -> Bench:
        connection = connect()
        lock(connection, folder, limits)
        return cls(connection, folder, {})

    def close(self) -> None:
        self.connection.close()

    def session(self, limits: Limits = LIMITS) -> Session:
        return Session(self.connection, self.folder, limits, self._open)

    def _open(self, name: str) -> Opened:
        if name not in self.datasets:
            raise UnknownDataset(name)
        return self.datasets[name]

    def add(self, name: str, content: bytes, ending: str = "csv", compression: str = "none") -> Opened:
        """Make a dataset of a file's content."""
        path = self.folder / f"{name}.{ending}"
        path.write_bytes(content)
        reading, readable = inspect(self.connection, path, ending, compression)
        self.datasets[name] = Opened(readable, reading)
        return self.datasets[name]

    def answer(self, request: dict[str, Any], limits: Limits = LIMITS) -> dict[str, Any]:
        """The whole answer to a request."""
        try:
            answer = process(orjson.dumps(request), {}, self.session(limits), self.folder, adapter())
        except duckdb.Error as error:
            raise translate(error, self.folder) or error from error
        finally:
            self._forget()
        document: dict[str, Any] = json.loads(answer.body)  # orjson has no large integers
        return document

    def _forget(self) -> None:
        """A worker has a database for one request; this one is used again."""
        views = "SELECT 'VIEW', view_name FROM duckdb_views() WHERE NOT internal"
        tables = "SELECT 'TABLE', table_name FROM duckdb_tables() WHERE NOT internal"
        for kind, name in self.connection.execute(f"{views} UNION ALL {tables}").fetchall():
            self.connection.execute(f'DROP {kind} "{name}"')

    def run(self, records: list[dict[str, Any]], **operation: Any) -> list[dict[str, Any]]:
        """The rows that an operation makes of these."""
        found: list[dict[str, Any]] = self.answer(
            {"data": {"records": records}, "limit": 10_000, **operation}
        )["result"]["records"]
        return found

    def sql(self, query: str, records: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
        data = {"data": {"records": records}} if records is not None else {}
        found: list[dict[str, Any]] = self.answer({"operation": "sql", "query": query, **data})["result"][
            "records"
        ]
        return found


def make_runtime(root: Path, **data: Any) -> Runtime:
    """A runtime whose folders are under `root`; keywords are keys of the section `data`."""
    return Runtime(
        service="data-processor",
        config=Config.model_validate({"data": data}),
        paths=Paths(root / "config", root / "data", root / "models", root / "state"),
        metrics=Metrics("data-processor"),
        health=HealthBoard("data-processor"),
    )


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
