"""What an answer or an error means for a job."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ai_semble import errors
from ai_semble.schemas.jobs import JobReason, JobState
from orchestrator.jobs.records import JobRecord
from orchestrator.jobs.slots import Slots, back_off
from orchestrator.jobs.verdicts import (
    Again,
    Failure,
    Patience,
    judge_answer,
    judge_error,
    lose_patience,
    problem_in,
)

JOB = JobRecord(
    id="1", state=JobState.RUNNING, reason=JobReason.STARTED, detail="", service="nlp", method="POST",
    path="/x", headers={}, request_id="r", fingerprint="f", owner=None, dispatch=1, attempts=1, breaks=0, fraction=None,
    message="", created_at=0, started_at=0, ended_at=None, next_attempt_at=None, first_failed_at=None,
    result_type=None, result_bytes=None, problem=None,
)  # fmt: skip
PATIENCE = Patience(retry_for_s=60, max_breaks=3)


def problem(status: int, code: str) -> bytes:
    return json.dumps({"code": code, "status": status, "title": "t", "hint": "h", "detail": "d"}).encode()


@pytest.mark.parametrize(
    ("status", "code", "expected", "reason"),
    [
        (400, "malformed_body", Failure, JobReason.REFUSED),
        (404, "not_found", Failure, JobReason.REFUSED),
        (422, "invalid_request", Failure, JobReason.REFUSED),
        (429, "too_many_requests", Again, JobReason.SERVICE_BUSY),
        (500, "internal_error", Failure, JobReason.SERVICE_FAILED),
        (502, "bad_gateway", Again, JobReason.SERVICE_BROKE_OFF),
        (503, "overloaded", Again, JobReason.SERVICE_BUSY),
        (503, "not_ready", Again, JobReason.SERVICE_BUSY),
        (503, "model_not_installed", Failure, JobReason.SERVICE_FAILED),
        (504, "deadline_exceeded", Failure, JobReason.TIMED_OUT),
        (507, "insufficient_storage", Failure, JobReason.SERVICE_FAILED),
    ],
)
def test_what_an_answer_means(
    status: int, code: str, expected: type[Failure | Again], reason: JobReason
) -> None:
    verdict = judge_answer("nlp", status, {}, problem(status, code))
    assert type(verdict) is expected
    assert verdict.reason is reason
    assert verdict.problem["code"] == code


@pytest.mark.parametrize(
    ("error", "expected", "reason"),
    [
        (errors.ServiceUnavailable("x"), Again, JobReason.SERVICE_UNREACHABLE),
        (errors.Overloaded("x"), Again, JobReason.SERVICE_BUSY),
        (errors.BadGateway("x"), Again, JobReason.SERVICE_BROKE_OFF),
        (errors.DeadlineExceeded("x"), Failure, JobReason.TIMED_OUT),
        (errors.InsufficientStorage("x"), Failure, JobReason.NOT_STORED),
        (errors.Forbidden("a URL that is not fetched"), Failure, JobReason.REFUSED),
    ],
)
def test_what_an_error_means(
    error: errors.AiSembleError, expected: type[Failure | Again], reason: JobReason
) -> None:
    verdict = judge_error(error)
    assert (type(verdict), verdict.reason) == (expected, reason)


def test_retry_after_is_heeded_when_it_is_a_number() -> None:
    verdict = judge_answer("nlp", 503, {"retry-after": "7"}, b"")
    assert isinstance(verdict, Again)
    assert verdict.retry_after == 7
    date = judge_answer("nlp", 503, {"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, b"")
    assert isinstance(date, Again)
    assert date.retry_after is None


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[1]", b'{"error": "words"}', b'{"code": 1}', b"<html>"])
def test_any_body_makes_a_problem(body: bytes) -> None:
    made = problem_in("nlp", 418, body)
    assert (made["status"], made["code"], made["source"]) == (418, "service_refused", "nlp")


def test_patience_is_lost_after_a_time_or_after_so_many_breaks() -> None:
    busy = Again(JobReason.SERVICE_BUSY, {})
    broke = Again(JobReason.SERVICE_BROKE_OFF, {}, broke=True)
    assert lose_patience(busy, JOB, 1000, PATIENCE) is None
    assert lose_patience(busy, replace(JOB, first_failed_at=950), 1000, PATIENCE) is None
    lost = lose_patience(busy, replace(JOB, first_failed_at=940), 1000, PATIENCE)
    assert lost == Failure(JobReason.STAYED_AWAY, {})
    assert lose_patience(broke, replace(JOB, breaks=1), 1000, PATIENCE) is None
    lost = lose_patience(broke, replace(JOB, breaks=2), 1000, PATIENCE)
    assert lost == Failure(JobReason.BROKE_TOO_OFTEN, {})


def test_the_back_off_doubles_up_to_a_minute() -> None:
    assert [back_off(failures) for failures in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert back_off(10_000) == 60


def test_failures_that_come_together_count_once_and_an_answer_ends_the_wait() -> None:
    now = [100.0]
    slots = Slots(4, lambda: now[0])
    assert [slots.failed("llm", None) for _ in range(3)] == [1, 1, 1]
    now[0] += 1
    assert slots.failed("llm", None) == 2
    assert slots.failed("nlp", 5) == 5
    assert slots.failed("vision", 86_400) == 60
    slots.answered("llm")
    assert slots.failed("llm", None) == 1
