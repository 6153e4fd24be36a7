"""What an answer or an error means for a job: pure decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ai_semble import problems
from ai_semble.errors import AiSembleError, BadGateway, DeadlineExceeded, InsufficientStorage
from ai_semble.schemas.jobs import JobReason
from orchestrator.jobs.errors import ServiceRefused
from orchestrator.jobs.records import JobRecord

SOURCE = "orchestrator"
# Says "not now" by its status, but waiting does not help.
_PERMANENT = ("model_not_installed",)
_BUSY = (429, 503)


@dataclass(frozen=True)
class Failure:
    """The job fails."""

    reason: JobReason
    problem: Mapping[str, Any]


@dataclass(frozen=True)
class Again:
    """The job may be tried again. `broke` when the service had begun with it."""

    reason: JobReason
    problem: Mapping[str, Any]
    retry_after: float | None = None
    broke: bool = False


@dataclass(frozen=True)
class Patience:
    """How long and how often a job is tried."""

    retry_for_s: float
    max_breaks: int


def judge_answer(service: str, status: int, headers: Mapping[str, str], body: bytes) -> Failure | Again:
    """What an answer with an error status (400 or more) means."""
    problem = problem_in(service, status, body)
    if status in _BUSY and problem.get("code") not in _PERMANENT:
        return Again(JobReason.SERVICE_BUSY, problem, _seconds(headers.get("retry-after")))
    match status:
        case 502:
            return Again(JobReason.SERVICE_BROKE_OFF, problem, broke=True)
        case 504:
            return Failure(JobReason.TIMED_OUT, problem)
        case _ if status >= 500:
            return Failure(JobReason.SERVICE_FAILED, problem)
        case _:
            return Failure(JobReason.REFUSED, problem)


def judge_error(error: AiSembleError) -> Failure | Again:
    """What it means that a call could not be made, or broke off."""
    problem = problems.document(error, SOURCE)
    match error:
        case BadGateway():
            return Again(JobReason.SERVICE_BROKE_OFF, problem, broke=True)
        case DeadlineExceeded():
            return Failure(JobReason.TIMED_OUT, problem)
        case InsufficientStorage():
            return Failure(JobReason.NOT_STORED, problem)
        case _ if error.status in _BUSY and error.code == "service_unavailable":
            return Again(JobReason.SERVICE_UNREACHABLE, problem, error.retry_after)
        case _ if error.status in _BUSY and error.code not in _PERMANENT:
            return Again(JobReason.SERVICE_BUSY, problem, error.retry_after)
        case _:
            return Failure(JobReason.REFUSED, problem)


def lose_patience(again: Again, job: JobRecord, now: float, patience: Patience) -> Failure | None:
    """The failure when it was tried long or often enough, otherwise None."""
    if again.broke and job.breaks + 1 >= patience.max_breaks:
        return Failure(JobReason.BROKE_TOO_OFTEN, again.problem)
    if job.first_failed_at is not None and now - job.first_failed_at >= patience.retry_for_s:
        return Failure(JobReason.STAYED_AWAY, again.problem)
    return None


def problem_in(service: str, status: int, body: bytes) -> Mapping[str, Any]:
    """The problem document of an answer; made up when the service sent something else."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if isinstance(document, dict):
        # Under /v1 the same members stand in OpenAI's `error`, where `type` and `message` are its own.
        members = document.get("error", document)
        if isinstance(members, dict) and {"code", "status", "title", "hint"} <= members.keys():
            return {**members, "type": f"urn:ai-semble:problem:{members['code']}"}
    words = body[:500].decode("utf-8", "replace").strip()
    made_up = ServiceRefused(f"{service} answered with status {status}: {words or 'no words'}")
    return {**problems.document(made_up, service), "status": status}


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.isascii() and header.isdigit() else None
