"""What /jobs takes and answers: calls that are made later, and how each stands."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ai_semble.schemas.problem import Problem

JOB_ID = r"^[0-9a-f]{32}$"


class JobState(StrEnum):
    """How a job stands, for machines."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class JobReason(StrEnum):
    """Why a job stands as it does, for people."""

    IN_LINE = "in_line"
    INTERRUPTED = "interrupted"
    STARTED = "started"
    RESTARTED = "restarted"
    SERVICE_UNREACHABLE = "service_unreachable"
    SERVICE_BUSY = "service_busy"
    SERVICE_BROKE_OFF = "service_broke_off"
    CANCEL_ASKED = "cancel_asked"
    ANSWERED = "answered"
    REFUSED = "refused"
    SERVICE_FAILED = "service_failed"
    TIMED_OUT = "timed_out"
    STAYED_AWAY = "stayed_away"
    BROKE_TOO_OFTEN = "broke_too_often"
    NOT_STORED = "not_stored"
    INTERNAL = "internal"
    CANCELLED_BY_CALLER = "cancelled_by_caller"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    JobReason.IN_LINE: "It waits for its turn.",
    JobReason.INTERRUPTED: "The orchestrator stopped while it ran; it is done again.",
    JobReason.STARTED: "The service works on it.",
    JobReason.RESTARTED: "The orchestrator died while it ran; the service works on it again.",
    JobReason.SERVICE_UNREACHABLE: "The service cannot be reached; it is tried again.",
    JobReason.SERVICE_BUSY: "The service has no room for it now; it is tried again.",
    JobReason.SERVICE_BROKE_OFF: "The service broke off its answer; it is tried again.",
    JobReason.CANCEL_ASKED: "It is being cancelled.",
    JobReason.ANSWERED: "The service answered.",
    JobReason.REFUSED: "The service refused the request; `problem` says why.",
    JobReason.SERVICE_FAILED: "The service failed; `problem` says how.",
    JobReason.TIMED_OUT: "It took longer than `jobs.timeout_s` and was stopped.",
    JobReason.STAYED_AWAY: "The service was not to be had for as long as `jobs.retry_for_s` says.",
    JobReason.BROKE_TOO_OFTEN: "It was broken off as often as `jobs.max_breaks` allows.",
    JobReason.NOT_STORED: "The answer could not be stored; `problem` says why.",
    JobReason.INTERNAL: "A defect in Ai-semble stopped it; the log has the details under the request id.",
    JobReason.CANCELLED_BY_CALLER: "It was cancelled.",
}


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Progress(_Answer):
    """How far a job is, as far as its service says so."""

    fraction: float | None = Field(
        None, ge=0, le=1, description="Done part of the whole; null while nobody can tell.", examples=[1.0]
    )
    message: str = Field("", description="What was done, in words.", examples=["18,432 bytes received"])


class Job(_Answer):
    """One call that is made later. It survives a crash of any service, the orchestrator included."""

    id: str = Field(description="Sorts by time of creation.", examples=["0199c1a2b3c4d5e6f708192a3b4c5d6e"])
    owner: str | None = Field(
        description="Id of the API key that it was made with; null without one. Other keys do not see it, unless "
        "they have the scope `all-jobs`.",
        examples=["3f9c01d2a4b6"],
    )
    state: JobState = Field(
        description="`queued` -> `running` -> `succeeded` | `failed`; `waiting` between two attempts; "
        "`cancelling` -> `cancelled`. The last three states of this list are final.",
        examples=["succeeded"],
    )
    reason_code: JobReason = Field(description="Why it is in this state.", examples=["answered"])
    reason: str = Field(description="The same in words.", examples=["The service answered."])
    progress: Progress = Field(description="How far it is.")
    service: str = Field(description="The service that is called.", examples=["llm"])
    method: str = Field(description="The HTTP method of the call.", examples=["POST"])
    path: str = Field(description="The path that is called.", examples=["/ai/llm/completion"])
    request_id: str = Field(description="Id of the request that submitted it, as in all logs.")
    attempts: int = Field(description="How often the service was called.", examples=[1])
    created_at: datetime = Field(description="When it was accepted.")
    started_at: datetime | None = Field(description="When its last attempt started.")
    ended_at: datetime | None = Field(description="When it ended; null before.")
    next_attempt_at: datetime | None = Field(description="When a `waiting` job is tried again.")
    result: Any = Field(
        None,
        description="The service's JSON answer, when the job succeeded and the answer has at most 64 KiB; "
        "anything longer, and anything that is not JSON, is at `result_url`.",
    )
    result_url: str | None = Field(
        None, description="Where the answer is, as the service gave it.", examples=["/jobs/0199.../result"]
    )
    result_type: str | None = Field(None, description="Its content type.", examples=["application/json"])
    result_bytes: int | None = Field(None, description="Its length.", examples=[512])
    problem: Problem | None = Field(None, description="What went wrong, when the job failed.")


class JobPage(_Answer):
    """Jobs, newest first."""

    jobs: tuple[Job, ...] = Field(description="Without their results; ask for one job to see its own.")
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the page after this one; null on the last page."
    )


class JobQuery(BaseModel):
    """Which jobs are listed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: JobState | None = Field(None, description="Only jobs in this state.")
    service: str | None = Field(None, max_length=64, description="Only calls of this service.")
    limit: int = Field(50, ge=1, le=200, description="Most jobs on a page.")
    cursor: str | None = Field(None, pattern=JOB_ID, description="`next_cursor` of the page before.")


class JobEvent(_Answer):
    """One change of a job; the data of a server-sent event.

    `event:` is `state`, `progress`, or `end` for the last one. `id:` is `number`; progress has none.
    """

    job_id: str
    number: int | None = Field(description="1 for the first change of state; null for progress.")
    at: datetime
    state: JobState
    reason_code: JobReason
    reason: str
    attempt: int = Field(description="How often the service had been called by then.")
    progress: Progress
