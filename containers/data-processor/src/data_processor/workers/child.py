"""The life of a worker: take one job, lock the door, do it, answer, end.

The database is opened before the door is locked and gets its threads after, so that all are behind it.
"""

from __future__ import annotations

import logging
import socket
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import ibis
from pydantic import TypeAdapter

from ai_semble.errors import AiSembleError, InvalidRequest
from ai_semble.schemas.data import process_request
from data_processor.engine.connection import connect, lock
from data_processor.engine.failures import translate
from data_processor.engine.inspecting import inspect
from data_processor.engine.reading import Reading
from data_processor.engine.session import Opened, Session
from data_processor.engine.writing import write
from data_processor.errors import MemoryLimitExceeded
from data_processor.operations.sql import allowed_functions
from data_processor.workers import messages, sandbox
from data_processor.workers.failures import describe, restore
from data_processor.workers.jobs import Answer, Job
from data_processor.workers.processing import OUTPUT, process

_TOO_DEEP = "Recursion limit reached"  # a TypeError of orjson


def warm_up() -> None:
    """Do once, in the nursery, what every worker would do: imports, tables, DuckDB's first start."""
    import_module("pytz")  # DuckDB's bindings do, for time zones
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of functions that need no translation
    adapter()
    allowed_functions()
    table = ibis.table({"a": "int64", "b": "string"}, name="t")
    ibis.to_sql(table.filter(table["a"] > 1).group_by("b").aggregate(s=table["a"].sum()), dialect="duckdb")
    connect().close()


@cache
def adapter() -> TypeAdapter[Any]:
    return process_request()


def run(connection: socket.socket) -> None:
    """Wait for the job that comes over this connection, do it, and answer it whatever happens."""
    database = connect()
    header, body = messages.receive(connection)
    job = Job.of(header, body)
    try:
        sandbox.enter(Path(job.folder), job.limits)
        lock(database, Path(job.folder), job.limits)
        worker = Worker(connection, job, database)
        answer = worker.work()
        messages.send(
            connection,
            {"is": "answer", "facts": {**answer.facts, "inspected": worker.inspected}},
            answer.body,
        )
    except messages.Disconnected:
        return
    except Exception as error:  # noqa: BLE001 - the top of the process: everything becomes an answer
        messages.send(connection, _failure(error, job))


def _failure(error: Exception, job: Job) -> dict[str, Any]:
    known = error if isinstance(error, AiSembleError) else None
    if isinstance(error, MemoryError):
        known = MemoryLimitExceeded("The memory that an operation may use is full")
    if isinstance(error, RecursionError) or str(error) == _TOO_DEEP:
        known = InvalidRequest("The request is nested too deeply", hint="Split it into several steps.")
    if isinstance(error, duckdb.Error):
        known = translate(error, Path(job.folder))
    if known is not None:
        return {"is": "error", "error": describe(known)}
    return {"is": "error", "defect": "".join(traceback.format_exception(error))}


class Worker:
    """Does one job with a database of its own."""

    def __init__(self, connection: socket.socket, job: Job, database: duckdb.DuckDBPyConnection) -> None:
        self._service = connection
        self._job = job
        self._folder = Path(job.folder)
        self._database = database
        self.inspected: dict[str, dict[str, Any]] = {}

    def work(self) -> Answer:
        kinds: dict[str, Callable[[], Answer]] = {
            "process": self._process,
            "inspect": self._inspect,
            "convert": self._convert,
        }
        return kinds[self._job.kind]()

    def _session(self) -> Session:
        return Session(self._database, self._folder, self._job.limits, self._open)

    def _process(self) -> Answer:
        return process(self._job.body, self._job.parameters, self._session(), self._folder, adapter())

    def _inspect(self) -> Answer:
        """Read a whole file that is in the job's folder."""
        asked = self._job.parameters
        return Answer(self._found(self._folder / asked["file"], asked["format"], asked["compression"]))

    def _found(self, path: Path, format_: str, compression: str) -> dict[str, Any]:
        reading, readable = inspect(self._database, path, format_, compression)
        return {"reading": reading.facts(), "prepared": readable.name if reading.prepared else None}

    def _convert(self) -> Answer:
        """Write a dataset in another format, into the job's folder."""
        asked = self._job.parameters
        session = self._session()
        sql = session.sql(session.dataset(asked["dataset"]))
        rows = write(self._database, sql, self._folder / OUTPUT, asked["format"], asked["compression"])
        return Answer({"rows": rows})

    def _open(self, name: str) -> Opened:
        """A dataset, which the service links into the job's folder. A new one is inspected here."""
        lent = self._ask({"dataset": name})
        path = self._folder / lent["file"]
        if lent["reading"] is None:
            found = self._found(path, lent["format"], lent["compression"])
            self.inspected[name] = {**found, "version": lent["version"]}
            path = path.with_name(found["prepared"]) if found["prepared"] else path
            return Opened(path, Reading.of(found["reading"]))
        return Opened(path, Reading.of(lent["reading"]))

    def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        messages.send(self._service, {"is": "question", "question": question})
        header, _ = messages.receive(self._service)
        if "error" in header:
            raise restore(header["error"])
        response: dict[str, Any] = header["response"]
        return response
