"""What a worker does with a `POST /data/process` body: validate it, compute, answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import orjson
from pydantic import TypeAdapter, ValidationError

from ai_semble.errors import FieldProblem, InvalidRequest, MalformedBody
from ai_semble.schemas import data as asked
from data_processor.engine.inspecting import inspect
from data_processor.engine.rows import dumps
from data_processor.engine.session import Session
from data_processor.engine.writing import write
from data_processor.errors import DataRequired
from data_processor.operations.applying import apply, table_of
from data_processor.operations.frame import Frame
from data_processor.workers.jobs import Answer

OUTPUT = "output"


@dataclass
class _Clock:
    started: float
    queue_ms: float
    read_ms: float = 0.0

    def since(self) -> float:
        return (time.perf_counter() - self.started) * 1000


def process(
    body: bytes, parameters: Mapping[str, Any], session: Session, folder: Path, adapter: TypeAdapter[Any]
) -> Answer:
    """The answer of one request. Raises what its operation raises, InvalidRequest, MalformedBody."""
    clock = _Clock(time.perf_counter(), parameters.get("queue_ms", 0.0))
    request = validated(body, adapter)
    table = _input(request, parameters.get("upload"), session, folder)
    clock.read_ms = clock.since()
    # Only the input has been read so far, so its rows are those that were read.
    frame = Frame(table, rows=session.rows_read) if table is not None else None
    found = apply(request, frame, session)
    if isinstance(found, dict):
        return _answer_of_findings(request, found, session, clock)
    if request.output is not None:
        return _answer_of_output(request, found, session, folder, clock)
    most = min(request.limit, session.limits.max_rows)
    page = session.page(found, most)
    rows = {"total": page.total, "returned": len(page.records), "truncated": page.total > len(page.records)}
    return _answer(request, {"columns": page.columns, "records": page.records}, rows, session, clock)


def validated(body: bytes, adapter: TypeAdapter[Any]) -> Any:
    """The request as an object. Raises MalformedBody, InvalidRequest with the paths of the fields."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedBody(f"The body is not valid JSON at character {error.pos}: {error.msg}") from error
    try:
        return adapter.validate_python(given)
    except ValidationError as error:
        fields = [FieldProblem(_path(_place(item), given), item["msg"]) for item in error.errors()]
        sentence = "; ".join(f"{item.field}: {item.message}" for item in fields[:10])
        raise InvalidRequest(sentence, fields=fields) from error


def _place(item: Any) -> tuple[int | str, ...]:
    """As `ai_semble.problems.place_of`, which would bring 20 MB of web framework into every worker."""
    location: tuple[int | str, ...] = item["loc"]
    if not item["type"].startswith("union_tag"):
        return location
    return (*location, item["ctx"]["discriminator"].strip("'"))


def _path(location: tuple[int | str, ...], given: Any) -> str:
    """A path as the user wrote it: pydantic's also names members of unions, which are not in the request."""
    parts: list[str] = []
    here = given
    for number, part in enumerate(location):
        missing = number == len(location) - 1 and isinstance(here, dict) and str(part).isidentifier()
        if _has(here, part):
            here = here[part]
        elif not missing or part == "str":
            continue
        parts.append(str(part))
    return ".".join(parts) or "body"


def _has(here: Any, part: int | str) -> bool:
    if isinstance(here, list):
        return isinstance(part, int) and part < len(here)
    return isinstance(here, dict) and part in here


def _input(
    request: Any, upload: Mapping[str, Any] | None, session: Session, folder: Path
) -> ibis.Table | None:
    if upload is not None:
        if request.data is not None:
            raise InvalidRequest(
                "Give either `data` or a file", fields=[FieldProblem("data", "There is a file too")]
            )
        path = folder / upload["file"]
        reading, readable = inspect(session.connection, path, upload["format"], upload["compression"])
        return session.file(readable, reading)
    if request.data is not None:
        return table_of(request.data, session)
    if isinstance(request, asked.Sql) or _begins_with_sql(request):
        return None
    raise DataRequired(f"`{request.operation}` needs `data`")


def _begins_with_sql(request: Any) -> bool:
    return isinstance(request, asked.Pipeline) and isinstance(request.steps[0], asked.Sql)


def _answer_of_findings(request: Any, found: dict[str, Any], session: Session, clock: _Clock) -> Answer:
    if request.output is not None:
        raise InvalidRequest(
            f"`{request.operation}` makes no table to write",
            fields=[FieldProblem("output", "There is no table")],
        )
    rows = {"total": session.rows_read, "returned": 0, "truncated": False}
    return _answer(request, found, rows, session, clock)


def _answer_of_output(request: Any, frame: Frame, session: Session, folder: Path, clock: _Clock) -> Answer:
    """The file is left in the job's folder; the service makes it a dataset."""
    output = request.output
    compression = output.compression if output.format in ("csv", "tsv", "json", "jsonl") else "none"
    sql = session.sql(frame.table)
    rows = write(session.connection, sql, folder / OUTPUT, output.format, compression)
    session.note_spill()
    columns = [{"name": name, "type": kind} for name, kind in session.types(frame.table).items()]
    facts = {
        "output": {
            "dataset": output.dataset,
            "format": output.format,
            "compression": compression,
            "replace": output.replace,
        }
    }
    counted = {"total": rows, "returned": 0, "truncated": False}
    answer = _answer(request, {"columns": columns}, counted, session, clock)
    return Answer({**answer.facts, **facts}, answer.body)


def _answer(
    request: Any, result: Mapping[str, Any], rows: Mapping[str, Any], session: Session, clock: _Clock
) -> Answer:
    total_ms = clock.since()
    timings = {
        "queue_ms": clock.queue_ms,
        "read_ms": round(clock.read_ms, 2),
        "compute_ms": round(total_ms - clock.read_ms, 2),
        "total_ms": round(clock.queue_ms + total_ms, 2),
    }
    body = dumps({"operation": request.operation, "result": result, "rows": rows, "timings": timings})
    facts = {
        "operation": request.operation,
        "rows_read": session.rows_read,
        "rows_returned": rows["returned"],
        "spilled": session.spilled,
    }
    return Answer(facts, body)
