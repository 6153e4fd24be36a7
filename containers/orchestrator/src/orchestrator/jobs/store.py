"""The jobs in the database, for the event loop."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from ai_semble.schemas.jobs import JobQuery, JobState
from orchestrator.jobs.askers import Asker
from orchestrator.jobs.database import Database
from orchestrator.jobs.moves import Ending, Moves, Postponement
from orchestrator.jobs.queries import queries
from orchestrator.jobs.records import Change, EventRecord, JobRecord, NewJob, StoredBody, Unended

P = ParamSpec("P")
T = TypeVar("T")


class JobStore:
    """Reads and moves; see `Moves` for what each move means. All raise InsufficientStorage."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self.clock = clock

    async def accept(self, new: NewJob, request: StoredBody, most_pending: int) -> Change | JobRecord:
        return await self._write(Moves.accept, new, request, most_pending)

    async def begin(self, job_id: str, dispatch: int, max_breaks: int) -> Change | None:
        return await self._note(Moves.begin, job_id, dispatch, max_breaks)

    async def end(self, job_id: str, dispatch: int, ending: Ending) -> Change | None:
        return await self._write(Moves.end, job_id, dispatch, ending)

    async def postpone(self, job_id: str, dispatch: int, why: Postponement) -> Change | None:
        return await self._note(Moves.postpone, job_id, dispatch, why)

    async def release(self, job_id: str, dispatch: int) -> Change | None:
        return await self._note(Moves.release, job_id, dispatch)

    async def cancel(self, job_id: str, asker: Asker) -> Change | None:
        return await self._write(Moves.cancel, job_id, asker)

    async def confirm_cancel(self, job_id: str) -> Change | None:
        return await self._write(Moves.confirm_cancel, job_id)

    async def forget(self, job_id: str, asker: Asker) -> JobRecord | None:
        return await self._write(Moves.forget, job_id, asker)

    async def redispatch(self, job_id: str, dispatch: int) -> JobRecord | None:
        return await self._note(Moves.redispatch, job_id, dispatch)

    async def report(self, job_id: str, dispatch: int, fraction: float | None, message: str) -> bool:
        return await self._note(Moves.report, job_id, dispatch, fraction, message)

    async def get(self, job_id: str) -> JobRecord | None:
        rows = await self._rows("job", {"id": job_id})
        return JobRecord.of(rows[0]) if rows else None

    async def of_key(self, idempotency_key: str) -> JobRecord | None:
        rows = await self._rows("job_by_key", {"idempotency_key": idempotency_key})
        return JobRecord.of(rows[0]) if rows else None

    async def page(self, query: JobQuery, asker: Asker) -> list[JobRecord]:
        """One more than the limit, when there are more."""
        values = {**query.model_dump(), "limit": query.limit + 1, "sight": asker.sight}
        return [JobRecord.of(row) for row in await self._rows("page", values)]

    async def events(self, job_id: str, after: int) -> list[EventRecord]:
        rows = await self._rows("events", {"job_id": job_id, "after": after})
        return [EventRecord.of(row) for row in rows]

    async def body(self, job_id: str, part: str) -> bytes | None:
        """A request or an answer that is kept in the database; None when it is in a file."""
        rows = await self._rows("body", {"job_id": job_id, "part": part})
        return bytes(rows[0]["content"]) if rows else None

    async def counts(self) -> Mapping[tuple[str, JobState], int]:
        """Jobs by service and state."""
        rows = await self._rows("count_by_service_and_state", {})
        return {(row["service"], JobState(row["state"])): row["count"] for row in rows}

    async def unended(self) -> list[Unended]:
        return [Unended(**dict(row)) for row in await self._rows("unended", {})]

    async def ended_before(self, moment: float, limit: int) -> list[str]:
        rows = await self._rows("ended_before", {"before": moment, "limit": limit})
        return [row["id"] for row in rows]

    async def known(self, ids: Sequence[str]) -> set[str]:
        """Which of these ids are jobs."""
        return {row["id"] for row in await self._rows("known", {"ids": json.dumps(ids)})}

    async def _rows(self, query: str, values: Mapping[str, Any]) -> list[sqlite3.Row]:
        def work(connection: sqlite3.Connection) -> list[sqlite3.Row]:
            return connection.execute(queries()[query], values).fetchall()

        return await self._database.read(work)

    async def _write(self, move: Callable[Concatenate[Moves, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        now = self.clock()
        return await self._database.write(lambda connection: move(Moves(connection, now), *args, **kwargs))

    async def _note(self, move: Callable[Concatenate[Moves, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write what is found out again after a power cut: the job is just done once more."""
        now = self.clock()
        return await self._database.write(
            lambda connection: move(Moves(connection, now), *args, **kwargs), durable=False
        )
