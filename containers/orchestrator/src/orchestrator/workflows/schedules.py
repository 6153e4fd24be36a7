"""Runs workflows at their times, each time once."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson

from ai_semble import problems
from ai_semble.errors import AiSembleError
from ai_semble.logs import get_logger
from ai_semble.schemas.problem import Problem as ProblemModel
from ai_semble.schemas.runs import Run, RunRequest
from ai_semble.schemas.schedules import CatchUp, Schedule, ScheduleRequest
from orchestrator.jobs.askers import Asker
from orchestrator.jobs.database import Database
from orchestrator.jobs.views import moment
from orchestrator.sqlfiles import queries_of
from orchestrator.workflows.errors import InvalidSchedule, ScheduleNotFound, ScheduleOfAnother
from orchestrator.workflows.performing import NOT_NOW
from orchestrator.workflows.store import PACKAGE
from orchestrator.workflows.times import Times, WrongTimes, due

log = get_logger(__name__)
# The longest sleep, so that a clock that was set is noticed.
NAP_S = 30.0
Submit = Callable[[str, RunRequest, Asker, str, str | None], Awaitable[Run]]


@dataclass(frozen=True)
class ScheduleRecord:
    """A row of the table `schedules`."""

    name: str
    workflow: str
    version: int | None
    inputs: str
    cron: str
    timezone: str
    catch_up: str
    paused: int
    owner: str | None
    created_at: float
    next_at: float | None
    last_run: str | None
    last_at: float | None
    problem: str | None

    @classmethod
    def of(cls, row: sqlite3.Row) -> ScheduleRecord:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


class Schedules:
    """`submit` makes a run; its idempotency key is the schedule and the time, so that no crash makes a second one."""

    def __init__(self, database: Database, submit: Submit, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._submit = submit
        self._clock = clock
        self._changed = asyncio.Event()
        # When it was looked last; a clock behind that was set back, perhaps while nobody looked.
        self._looked_at = math.inf

    async def put(self, name: str, request: ScheduleRequest, asker: Asker) -> Schedule:
        """Make or change a schedule. Raises InvalidSchedule, ScheduleOfAnother, InsufficientStorage."""
        times = _times(request.cron, request.timezone)
        now = self._clock()
        values = {
            **request.model_dump(mode="json"),
            "name": name,
            "inputs": orjson.dumps(request.inputs).decode(),
            "owner": asker.owner,
            "now": now,
            "next_at": None if request.paused else times.after(now),
        }

        def work(connection: sqlite3.Connection) -> sqlite3.Row:
            known = connection.execute(_query("schedule"), {"name": name}).fetchone()
            if known is not None and not asker.sees(known["owner"]):
                raise ScheduleOfAnother(f"There is a schedule {name} of another key")
            row: sqlite3.Row = connection.execute(_query("put"), values).fetchone()
            return row

        row = await self._database.write(work)
        self._changed.set()
        return _view(ScheduleRecord.of(row))

    async def all(self, asker: Asker) -> tuple[Schedule, ...]:
        rows = await self._rows("all", {"sight": asker.sight})
        return tuple(_view(ScheduleRecord.of(row)) for row in rows)

    async def get(self, name: str, asker: Asker) -> Schedule:
        """Raises ScheduleNotFound."""
        return _view(await self._record(name, asker))

    async def pause(self, name: str, asker: Asker, *, paused: bool) -> Schedule:
        """Stop or go on; what fell into the pause is not made up for. Raises ScheduleNotFound."""
        record = await self._record(name, asker)
        next_at = None if paused else _times(record.cron, record.timezone).after(self._clock())
        if not paused and not record.paused:
            return _view(record)
        values = {"name": name, "sight": asker.sight, "paused": paused, "next_at": next_at}
        row = await self._database.write(
            lambda connection: connection.execute(_query("set_paused"), values).fetchone()
        )
        self._changed.set()
        return await self.get(name, asker) if row is None else _view(ScheduleRecord.of(row))

    async def delete(self, name: str, asker: Asker) -> None:
        """Its runs stay. Raises ScheduleNotFound."""
        values = {"name": name, "sight": asker.sight}
        row = await self._database.write(
            lambda connection: connection.execute(_query("delete"), values).fetchone()
        )
        if row is None:
            raise ScheduleNotFound(f"There is no schedule {name}")

    async def keep_time(self) -> None:
        """Make the runs that are due, for ever."""
        while True:
            nap = NAP_S
            try:
                nap = min(NAP_S, await self.run_due())
            except Exception:  # the top of a loop
                log.exception("schedules_not_looked_after")
            try:
                async with asyncio.timeout(nap):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()

    async def run_due(self) -> float:
        """Make the runs that are due; the seconds until the next one."""
        now = self._clock()
        if now < self._looked_at:
            await self._look_again(now)
        self._looked_at = now
        due_now = map(ScheduleRecord.of, await self._rows("due", {"now": now}))
        are_done = [await self._run_or_wait(record, now) for record in due_now]
        (first,) = await self._rows("next", {})
        next_at: float | None = first["next_at"]
        if next_at is None or not all(are_done):
            return NAP_S
        return max(0.05, next_at - self._clock())

    async def _look_again(self, now: float) -> None:
        """A clock that was too far ahead has put off what is due before. No time is run for twice, by its key."""
        for row in await self._rows("later", {"now": now}):
            record = ScheduleRecord.of(row)
            values = {"name": record.name, "seen": record.next_at}
            try:
                next_at = Times(record.cron, record.timezone).after(now)
            except WrongTimes:
                continue
            if record.next_at is not None and next_at < record.next_at:
                await self._database.write(partial(_bring_forward, {**values, "next_at": next_at}))

    async def _run_or_wait(self, record: ScheduleRecord, now: float) -> bool:
        try:
            return await self._run(record, now)
        except Exception:  # the top of a schedule: a defect in one holds up no other
            log.exception("schedule_crashed", schedule=record.name)
            return False

    async def _run(self, record: ScheduleRecord, now: float) -> bool:
        """False when there is no room for its runs now."""
        assert record.next_at is not None  # noqa: S101 - it is due
        moments, next_at = due(
            _times(record.cron, record.timezone), record.next_at, now, CatchUp(record.catch_up)
        )
        request = RunRequest(inputs=orjson.loads(record.inputs), version=record.version)
        asker = Asker(record.owner, sees_all=False)
        last_run, problem = None, None
        for at in moments:
            day = datetime.fromtimestamp(at, UTC)
            key = f"schedule:{record.name}:{record.created_at:.3f}:{day:%Y-%m-%dT%H:%M:%SZ}"
            try:
                run = await self._submit(record.workflow, request, asker, f"schedule-{record.name}"[:64], key)
                last_run = run.id
            except AiSembleError as error:
                log.warning("schedule_not_run", schedule=record.name, code=error.code)
                if error.status in NOT_NOW:
                    return False
                problem = problems.document(error, "orchestrator")
        values = {
            "name": record.name,
            "seen": record.next_at,
            "next_at": next_at,
            "last_run": last_run,
            "last_at": moments[-1] if last_run else None,
            "problem": orjson.dumps(problem).decode() if problem else None,
        }
        await self._database.write(lambda connection: connection.execute(_query("advance"), values).rowcount)
        return True

    async def _record(self, name: str, asker: Asker) -> ScheduleRecord:
        rows = await self._rows("schedule", {"name": name})
        if not rows or not asker.sees(rows[0]["owner"]):
            raise ScheduleNotFound(f"There is no schedule {name}")
        return ScheduleRecord.of(rows[0])

    async def _rows(self, query: str, values: Mapping[str, Any]) -> list[sqlite3.Row]:
        return await self._database.read(
            lambda connection: connection.execute(_query(query), values).fetchall()
        )


def _times(cron: str, timezone: str) -> Times:
    try:
        return Times(cron, timezone)
    except WrongTimes as error:
        raise InvalidSchedule(str(error)) from error


def _bring_forward(values: Mapping[str, Any], connection: sqlite3.Connection) -> None:
    connection.execute(_query("bring_forward"), values)


def _query(name: str) -> str:
    return queries_of(PACKAGE, "schedules")[name]


def _view(record: ScheduleRecord) -> Schedule:
    return Schedule(
        name=record.name,
        owner=record.owner,
        workflow=record.workflow,
        version=record.version,
        cron=record.cron,
        timezone=record.timezone,
        inputs=orjson.loads(record.inputs),
        catch_up=CatchUp(record.catch_up),
        paused=bool(record.paused),
        created_at=moment(record.created_at),
        next_at=None if record.next_at is None else moment(record.next_at),
        last_at=None if record.last_at is None else moment(record.last_at),
        last_run=record.last_run,
        problem=ProblemModel.model_validate_json(record.problem) if record.problem else None,
    )
