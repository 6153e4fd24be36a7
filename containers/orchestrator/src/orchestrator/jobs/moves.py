"""The moves of a job: each one row and one event, written only when the table of moves allows it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

import orjson

from ai_semble import problems
from ai_semble.errors import Overloaded
from ai_semble.schemas.jobs import JobReason, JobState
from orchestrator.jobs.askers import Asker
from orchestrator.jobs.errors import JobBrokenOff
from orchestrator.jobs.machine import PENDING, sources
from orchestrator.jobs.queries import queries
from orchestrator.jobs.records import REQUEST, RESULT, Change, JobRecord, NewJob, StoredBody


@dataclass(frozen=True)
class Ending:
    """How a job ends: with a result, with a problem, or with neither when it is cancelled."""

    state: JobState
    reason: JobReason
    detail: str = ""
    problem: dict[str, Any] | None = None
    result: StoredBody | None = None
    result_type: str | None = None


@dataclass(frozen=True)
class Postponement:
    """Why and until when a job waits; `broke` when the service had begun with it."""

    reason: JobReason
    detail: str
    until: float
    broke: bool


_CANCELLED = Ending(JobState.CANCELLED, JobReason.CANCELLED_BY_CALLER)


@dataclass(frozen=True)
class Moves:
    """One transaction of the one writer, so that what is read here still holds when it is written.

    Each move returns the change, or None when the job has moved on meanwhile; then nothing was written.
    `dispatch` is the fence: a move for another dispatch than the present one is such a case.
    """

    connection: sqlite3.Connection
    now: float

    def accept(self, new: NewJob, request: StoredBody, most_pending: int) -> Change | JobRecord:
        """A new job, or the one that has its idempotency key. Raises Overloaded when too many wait."""
        key = {"idempotency_key": new.idempotency_key}
        if new.idempotency_key and (known := self._row("job_by_key", key)):
            return JobRecord.of(known)
        pending = self._row("count_pending", {})
        if pending is not None and pending["count"] >= most_pending:
            raise Overloaded(f"{most_pending} jobs are waiting already", retry_after=10)
        values = {
            **vars(new),
            "headers": orjson.dumps(dict(new.headers)).decode(),
            "state": JobState.QUEUED,
            "reason": JobReason.IN_LINE,
            "now": self.now,
        }
        inserted = self._row("insert_job", values)
        assert inserted is not None  # noqa: S101 - an INSERT with RETURNING gives its row
        job = JobRecord.of(inserted)
        self._log(job)
        self._keep(job.id, REQUEST, request)
        return Change(None, job)

    def begin(self, job_id: str, dispatch: int, max_breaks: int) -> Change | None:
        """To `running`. A job that runs already was cut by a crash: that counts, and may end it."""
        before = self._job(job_id)
        if before is None:
            return None
        crashed = before.state is JobState.RUNNING
        if before.state is JobState.CANCELLING:
            return self._end(job_id, None, _CANCELLED)
        if crashed and before.breaks + 1 >= max_breaks:
            return self._end(job_id, dispatch, _broke_too_often(before))
        reason = JobReason.RESTARTED if crashed else JobReason.STARTED
        values = {"dispatch": dispatch, "breaks": int(crashed), "now": self.now}
        return self._move("start", job_id, JobState.RUNNING, reason, values)

    def end(self, job_id: str, dispatch: int, ending: Ending) -> Change | None:
        """To the ending, or to `cancelled` when that was asked for meanwhile."""
        if self._is_cancelling(job_id):
            return self._end(job_id, None, _CANCELLED)
        return self._end(job_id, dispatch, ending)

    def postpone(self, job_id: str, dispatch: int, why: Postponement) -> Change | None:
        """To `waiting`, for the next dispatch; to `cancelled` when that was asked for meanwhile."""
        if self._is_cancelling(job_id):
            return self._end(job_id, None, _CANCELLED)
        values = {
            "dispatch": dispatch,
            "breaks": int(why.broke),
            "next_attempt_at": why.until,
            "detail": why.detail,
            "now": self.now,
        }
        return self._move("postpone", job_id, JobState.WAITING, why.reason, values)

    def release(self, job_id: str, dispatch: int) -> Change | None:
        """Back to `queued`, since this orchestrator is stopping; to `cancelled` when that was asked for."""
        if self._is_cancelling(job_id):
            return self._end(job_id, None, _CANCELLED)
        return self._move("release", job_id, JobState.QUEUED, JobReason.INTERRUPTED, {"dispatch": dispatch})

    def cancel(self, job_id: str, asker: Asker) -> Change | None:
        """To `cancelled` when it does not run; to `cancelling` when it does."""
        before = self._job(job_id)
        if before is None or not asker.sees(before.owner):
            return None
        if before.state in PENDING:
            return self._end(job_id, None, _CANCELLED)
        return self._move("ask_cancel", job_id, JobState.CANCELLING, JobReason.CANCEL_ASKED, {})

    def confirm_cancel(self, job_id: str) -> Change | None:
        """From `cancelling` to `cancelled`: the call was aborted."""
        return self._end(job_id, None, _CANCELLED)

    def forget(self, job_id: str, asker: Asker) -> JobRecord | None:
        """Delete a job that has ended, with its events and bodies."""
        deleted = self._row("forget", {"id": job_id, "sight": asker.sight})
        return JobRecord.of(deleted) if deleted else None

    def redispatch(self, job_id: str, dispatch: int) -> JobRecord | None:
        """Give the job a new dispatch, since the engine has lost the old one."""
        moved = self._row("redispatch", {"id": job_id, "dispatch": dispatch})
        return JobRecord.of(moved) if moved else None

    def report(self, job_id: str, dispatch: int, fraction: float | None, message: str) -> bool:
        """Write how far a running job is; False when it does not run any more."""
        values = {"id": job_id, "dispatch": dispatch, "fraction": fraction, "message": message}
        return self._row("set_progress", values) is not None

    def _end(self, job_id: str, dispatch: int | None, ending: Ending) -> Change | None:
        values = {
            "dispatch": dispatch,
            "detail": ending.detail,
            "result_type": ending.result_type,
            "result_bytes": ending.result.size if ending.result else None,
            "problem": orjson.dumps(ending.problem, default=str).decode() if ending.problem else None,
            "now": self.now,
        }
        change = self._move("end", job_id, ending.state, ending.reason, values)
        if change:
            # Nothing will ask for the request again, and it may be somebody's document.
            self.connection.execute(queries()["delete_body"], {"job_id": job_id, "part": REQUEST})
        if change and ending.result:
            self._keep(job_id, RESULT, ending.result)
        return change

    def _move(
        self, query: str, job_id: str, target: JobState, reason: JobReason, values: dict[str, Any]
    ) -> Change | None:
        before = self._job(job_id)
        allowed = json.dumps(sources(target))
        common = {"id": job_id, "state": target, "reason": reason, "sources": allowed}
        after = self._row(query, {**common, **values})
        if before is None or after is None:
            return None
        job = JobRecord.of(after)
        self._log(job)
        return Change(before.state, job)

    def _job(self, job_id: str) -> JobRecord | None:
        row = self._row("job", {"id": job_id})
        return JobRecord.of(row) if row else None

    def _is_cancelling(self, job_id: str) -> bool:
        job = self._job(job_id)
        return job is not None and job.state is JobState.CANCELLING

    def _row(self, query: str, values: dict[str, Any]) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self.connection.execute(queries()[query], values).fetchone()
        return found

    def _log(self, job: JobRecord) -> None:
        values = {
            "job_id": job.id,
            "at": self.now,
            "state": job.state,
            "reason": job.reason,
            "detail": job.detail,
            "attempt": job.attempts,
        }
        self.connection.execute(queries()["insert_event"], values)

    def _keep(self, job_id: str, part: str, body: StoredBody) -> None:
        if body.content is not None:
            values = {"job_id": job_id, "part": part, "content": body.content}
            self.connection.execute(queries()["insert_body"], values)


def _broke_too_often(job: JobRecord) -> Ending:
    error = JobBrokenOff(f"The orchestrator died {job.breaks + 1} times while the job ran")
    problem = {**problems.document(error, "orchestrator"), "request_id": job.request_id}
    return Ending(JobState.FAILED, JobReason.BROKE_TOO_OFTEN, error.detail, problem)
