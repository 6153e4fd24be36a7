"""The runs in the database, for the event loop. What is read to decide is read where it is written."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import orjson

from ai_semble.errors import Overloaded
from ai_semble.schemas.runs import RunQuery, RunState, StepState
from orchestrator.jobs.askers import Asker
from orchestrator.jobs.database import Database
from orchestrator.sqlfiles import queries_of
from orchestrator.workflows.records import (
    EventRecord,
    ItemRecord,
    NewRun,
    Problem,
    RunRecord,
    StepRecord,
    steps_of,
)

PACKAGE = "orchestrator.workflows"
Row = sqlite3.Row
Values = Mapping[str, Any]


def queries() -> Mapping[str, str]:
    return queries_of(PACKAGE, "runs")


class RunStore:
    """All writes raise InsufficientStorage. What is not durable is found out again after a power cut."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float] = time.time,
        check_room: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`check_room` raises InsufficientStorage when the disk has not so many bytes left."""
        self._database = database
        self.clock = clock
        self._check_room = check_room

    async def accept(self, new: NewRun, most_waiting: int) -> RunRecord:
        """The new run, or the one that has its idempotency key. Raises Overloaded."""
        self._check_room(len(new.definition) + len(new.inputs))
        now = self.clock()

        def work(connection: sqlite3.Connection) -> RunRecord:
            key = {"idempotency_key": new.idempotency_key}
            if new.idempotency_key and (known := _one(connection, "by_key", key)):
                return RunRecord.of(known)
            waiting = _one(connection, "waiting", {})
            if waiting is not None and new.parent is None and waiting["count"] >= most_waiting:
                raise Overloaded(f"{most_waiting} runs are waiting already", retry_after=10)
            values = {**asdict(new), "state": RunState.QUEUED, "reason": "It waits for its turn.", "now": now}
            row = _one(connection, "insert", values)
            assert row is not None  # noqa: S101 - an INSERT with RETURNING gives its row
            run = RunRecord.of(row)
            _log(connection, run.id, now, f"Accepted: version {run.version} of {run.workflow}.")
            return run

        return await self._database.write(work)

    async def begin(self, run_id: str) -> RunRecord | None:
        return await self._move("begin", run_id, "It runs.", {}, durable=False)

    async def end(
        self, run_id: str, state: RunState, reason: str, outputs: Any = None, problem: Problem | None = None
    ) -> RunRecord | None:
        values = {
            "state": state,
            "outputs": _json(outputs) if state is RunState.SUCCEEDED else None,
            "problem": _json(problem) if problem else None,
        }
        return await self._move("end", run_id, reason, values)

    async def cancel(self, run_id: str, asker: Asker) -> RunRecord | None:
        """To `cancelled` when it waits, to `cancelling` when it runs; None when it does neither."""
        now = self.clock()

        def work(connection: sqlite3.Connection) -> RunRecord | None:
            values = {"id": run_id, "now": now, "sight": asker.sight}
            row = _one(connection, "cancel_queued", {**values, "reason": "It was cancelled."}) or _one(
                connection, "ask_cancel", {**values, "reason": "It is being cancelled."}
            )
            if row is None:
                return None
            _log(connection, run_id, now, row["reason"])
            return RunRecord.of(row)

        return await self._database.write(work)

    async def reopen(self, run: RunRecord, steps: Mapping[str, StepRecord | None]) -> RunRecord | None:
        """Back to `queued`, with these steps as given; None are not begun. None when it has not failed, or was tried
        again since `run` was read.
        """
        now, run_id = self.clock(), run.id

        def work(connection: sqlite3.Connection) -> RunRecord | None:
            row = _one(
                connection, "reopen", {"id": run_id, "reason": "It is tried again.", "tries": run.tries}
            )
            if row is None:
                return None
            for name, step in steps.items():
                if step is None:
                    connection.execute(queries()["delete_step"], {"id": run_id, "step": name})
                else:
                    _put_step(connection, run_id, step)
                    for item in step.items:
                        if item.state is StepState.PENDING and item.started_at:
                            _put_item(connection, run_id, name, item, None)
            _log(connection, run_id, now, f"Try {row['tries']}: what is done stays done.")
            return RunRecord.of(row)

        return await self._database.write(work)

    async def forget(self, run_id: str, asker: Asker) -> bool:
        """Delete a run that has ended, with its steps and those that were its steps."""
        values = {"id": run_id, "sight": asker.sight}
        return await self._database.write(lambda connection: _one(connection, "forget", values) is not None)

    async def put_step(self, run_id: str, step: StepRecord, fraction: float, message: str) -> None:
        now = self.clock()

        def work(connection: sqlite3.Connection) -> None:
            _put_step(connection, run_id, step)
            _one(connection, "set_fraction", {"id": run_id, "fraction": fraction})
            _log(connection, run_id, now, message, step=step.name, step_state=step.state)

        await self._database.write(work, durable=False)

    async def put_item(
        self,
        run_id: str,
        step: str,
        item: ItemRecord,
        fraction: float,
        message: str,
        result: str | None = None,
    ) -> None:
        """An empty message is not logged."""
        now = self.clock()

        def work(connection: sqlite3.Connection) -> None:
            _put_item(connection, run_id, step, item, result)
            _one(connection, "set_fraction", {"id": run_id, "fraction": fraction})
            if message:
                values = {"step": step, "item": item.number, "step_state": item.state}
                _log(connection, run_id, now, message, **values)

        await self._database.write(work, durable=False)

    async def get(self, run_id: str) -> RunRecord | None:
        rows = await self._rows("run", {"id": run_id})
        return RunRecord.of(rows[0]) if rows else None

    async def of_key(self, idempotency_key: str) -> RunRecord | None:
        rows = await self._rows("by_key", {"idempotency_key": idempotency_key})
        return RunRecord.of(rows[0]) if rows else None

    async def page(self, workflow: str, query: RunQuery, asker: Asker) -> list[RunRecord]:
        """One more than the limit, when there are more."""
        values = {**query.model_dump(), "workflow": workflow, "limit": query.limit + 1, "sight": asker.sight}
        return [RunRecord.of(row) for row in await self._rows("page", values)]

    async def steps(self, run_id: str) -> dict[str, StepRecord]:
        """The steps that have begun."""

        def work(connection: sqlite3.Connection) -> dict[str, StepRecord]:
            values = {"id": run_id}
            return steps_of(_all(connection, "steps", values), _all(connection, "items", values))

        return await self._database.read(work)

    async def results(self, run_id: str) -> dict[tuple[str, int], str]:
        """The results, as JSON, of all calls that succeeded."""
        rows = await self._rows("results", {"id": run_id})
        return {(row["step"], row["number"]): row["result"] for row in rows}

    async def short_results(self, run_id: str, most: int) -> dict[tuple[str, int], str]:
        """Those of at most so many characters."""
        rows = await self._rows("short_results", {"id": run_id, "most": most})
        return {(row["step"], row["number"]): row["result"] for row in rows}

    async def result(self, run_id: str, step: str, number: int) -> str | None:
        rows = await self._rows("result", {"id": run_id, "step": step, "number": number})
        return rows[0]["result"] if rows else None

    async def unended(self) -> list[RunRecord]:
        return [RunRecord.of(row) for row in await self._rows("unended", {})]

    async def ended_before(self, moment: float, limit: int) -> list[str]:
        return [row["id"] for row in await self._rows("ended_before", {"before": moment, "limit": limit})]

    async def log(
        self, run_id: str, after: int, limit: int = 1000
    ) -> tuple[RunRecord | None, list[EventRecord]]:
        """The run and the lines of its log after this number, both as they were at one moment."""

        def work(connection: sqlite3.Connection) -> tuple[RunRecord | None, list[EventRecord]]:
            connection.execute("BEGIN")
            try:
                row = _one(connection, "run", {"id": run_id})
                rows = _all(connection, "events", {"id": run_id, "after": after, "limit": limit})
            finally:
                connection.execute("COMMIT")
            return RunRecord.of(row) if row else None, [EventRecord.of(each) for each in rows]

        return await self._database.read(work)

    async def _move(
        self, query: str, run_id: str, reason: str, values: Values, *, durable: bool = True
    ) -> RunRecord | None:
        now = self.clock()

        def work(connection: sqlite3.Connection) -> RunRecord | None:
            row = _one(connection, query, {"id": run_id, "reason": reason, "now": now, **values})
            if row is None:
                return None
            _log(connection, run_id, now, reason)
            return RunRecord.of(row)

        return await self._database.write(work, durable=durable)

    async def _rows(self, query: str, values: Values) -> list[Row]:
        return await self._database.read(lambda connection: _all(connection, query, values))


def _one(connection: sqlite3.Connection, query: str, values: Values) -> Row | None:
    found: Row | None = connection.execute(queries()[query], values).fetchone()
    return found


def _all(connection: sqlite3.Connection, query: str, values: Values) -> list[Row]:
    return connection.execute(queries()[query], values).fetchall()


def _put_step(connection: sqlite3.Connection, run_id: str, step: StepRecord) -> None:
    values = {
        "id": run_id,
        "step": step.name,
        "state": step.state,
        "total": len(step.items),
        "over": _json(step.over) if step.over is not None else None,
        "started_at": step.started_at,
        "ended_at": step.ended_at,
        "problem": _json(step.problem) if step.problem else None,
    }
    connection.execute(queries()["put_step"], values)


def _put_item(
    connection: sqlite3.Connection, run_id: str, step: str, item: ItemRecord, result: str | None
) -> None:
    problem = _json(item.problem) if item.problem else None
    values = {**vars(item), "id": run_id, "step": step, "result": result, "problem": problem}
    connection.execute(queries()["put_item"], values)


def _log(connection: sqlite3.Connection, run_id: str, now: float, message: str, **about: Any) -> None:
    values = {"step": None, "item": None, "step_state": None, **about}
    connection.execute(queries()["insert_event"], {**values, "id": run_id, "at": now, "message": message})


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()
