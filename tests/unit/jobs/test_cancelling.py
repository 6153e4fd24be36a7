"""A job that waits never starts, one that runs is cut, and one that has ended is left alone."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.fake_service import FakeService, failing, wait_until
from tests.unit.jobs.conftest import ended, state_of, submit


def cancel(api: httpx.Client, job: dict[str, Any], **params: Any) -> httpx.Response:
    return api.delete(f"/jobs/{job['id']}", params=params)


def test_cancelling_a_running_job_cuts_its_call(api: httpx.Client, shared_service: FakeService) -> None:
    gate = shared_service.hold("/long")
    job = submit(api, "/nlp/long")
    wait_until(lambda: gate.entered == 1, "it runs")
    answer = cancel(api, job)
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelling")
    assert ended(api, job)["state"] == "cancelled"
    wait_until(lambda: gate.aborted == 1, "the service saw its caller go")
    again = cancel(api, job)
    assert (again.status_code, again.json()["state"]) == (200, "cancelled")
    assert len(shared_service.calls_of("/long")) == 1


def test_a_job_between_two_attempts_can_be_cancelled(api: httpx.Client, shared_service: FakeService) -> None:
    shared_service.on("/busy", failing(1000, 503, "overloaded"))
    job = submit(api, "/llm/busy")
    wait_until(lambda: state_of(api, job) == "waiting", "it waits")
    assert cancel(api, job).json()["state"] == "cancelled"
    calls = len(shared_service.calls_of("/busy"))
    assert ended(api, submit(api, "/nlp/other"))["state"] == "succeeded"
    assert len(shared_service.calls_of("/busy")) == calls


def test_a_cancellation_that_comes_too_late_loses_no_result(api: httpx.Client) -> None:
    job = submit(api, "/nlp/done")
    ended(api, job)
    answer = cancel(api, job)
    assert (answer.status_code, answer.json()["code"]) == (409, "job_has_ended")
    assert api.get(f"/jobs/{job['id']}/result").status_code == 200


def test_an_ended_job_can_be_forgotten_but_no_other(api: httpx.Client, shared_service: FakeService) -> None:
    gate = shared_service.hold("/unforgettable")
    job = submit(api, "/nlp/unforgettable", b"x" * 50_000)
    answer = cancel(api, job, forget=True)
    assert (answer.status_code, answer.json()["code"]) == (409, "job_has_not_ended")
    gate.open()
    ended(api, job)
    assert cancel(api, job, forget=True).status_code == 204
    assert api.get(f"/jobs/{job['id']}").status_code == 404
    assert cancel(api, job, forget=True).status_code == 404
