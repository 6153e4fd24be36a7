"""What a job looks like to those who ask."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ai_semble.schemas.jobs import Job, JobEvent, JobReason, JobState, Progress
from ai_semble.schemas.problem import Problem
from orchestrator.jobs.records import EventRecord, JobRecord

# A longer answer is only given at its own address.
MOST_INLINE = 64 * 1024


def job_view(job: JobRecord, result: Any = None) -> Job:
    succeeded = job.state is JobState.SUCCEEDED
    return Job(
        id=job.id,
        owner=job.owner,
        state=job.state,
        reason_code=job.reason,
        reason=in_words(job.reason, job.detail),
        progress=progress_of(job),
        service=job.service,
        method=job.method,
        path=job.path,
        request_id=job.request_id,
        attempts=job.attempts,
        created_at=moment(job.created_at),
        started_at=_moment_or_none(job.started_at),
        ended_at=_moment_or_none(job.ended_at),
        next_attempt_at=_moment_or_none(job.next_attempt_at),
        result=result,
        result_url=f"/jobs/{job.id}/result" if succeeded else None,
        result_type=job.result_type,
        result_bytes=job.result_bytes,
        problem=Problem.model_validate(job.problem) if job.problem else None,
    )


def event_view(event: EventRecord) -> JobEvent:
    """A change of state."""
    return JobEvent(
        job_id=event.job_id,
        number=event.number,
        at=moment(event.at),
        state=event.state,
        reason_code=event.reason,
        reason=in_words(event.reason, event.detail),
        attempt=event.attempt,
        progress=Progress(fraction=1.0 if event.state is JobState.SUCCEEDED else None, message=""),
    )


def progress_event(job: JobRecord, now: float) -> JobEvent:
    """A word on how far a job is, without a change of state."""
    return JobEvent(
        job_id=job.id,
        number=None,
        at=moment(now),
        state=job.state,
        reason_code=job.reason,
        reason=in_words(job.reason, job.detail),
        attempt=job.attempts,
        progress=progress_of(job),
    )


def progress_of(job: JobRecord) -> Progress:
    return Progress(fraction=job.fraction, message=job.message)


def has_inline_result(job: JobRecord) -> bool:
    kind = (job.result_type or "").partition(";")[0].strip().lower()
    is_json = kind == "application/json" or kind.endswith("+json")
    return job.state is JobState.SUCCEEDED and is_json and (job.result_bytes or 0) <= MOST_INLINE


def in_words(reason: JobReason, detail: str) -> str:
    return f"{reason.sentence} ({detail})" if detail else reason.sentence


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _moment_or_none(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)
