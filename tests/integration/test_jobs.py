"""Any call as a job: accepted, watched, ended, cancelled."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx

ASYNC = {"Prefer": "respond-async"}
# Of what hangs; on a processor that is emulated, work takes minutes.
DEADLINE_S = 600


def submit(api: httpx.Client, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = api.post(path, json=body, headers=ASYNC | headers)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/jobs/{job['id']}"
    return job


def wait(api: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        seen: dict[str, Any] = api.get(f"/jobs/{job['id']}").json()
        if seen["ended_at"]:
            return seen
        time.sleep(0.02)
    raise AssertionError(f"the job did not end: {seen}")


def test_each_of_the_four_calls_runs_as_a_job(api: httpx.Client) -> None:
    calls: dict[str, dict[str, Any]] = {
        "/ai/llm/completion": {"prompt": "Say hello.", "max_tokens": 8},
        "/ai/nlp/process": {"text": "This is a great product!", "task": "sentiment"},
        "/data/process": {"operation": "analyze", "data": {"records": [{"id": 1, "value": 100}]}},
    }
    jobs = {path: submit(api, path, body) for path, body in calls.items()}
    for path, job in jobs.items():
        ended = wait(api, job)
        assert ended["state"] == "succeeded", (path, ended)
        assert ended["reason"]
    sentiment = wait(api, jobs["/ai/nlp/process"])
    assert sentiment["result"]["result"]["label"] == "positive"


def test_a_job_whose_request_is_wrong_fails_with_the_services_problem(api: httpx.Client) -> None:
    ended = wait(api, submit(api, "/ai/nlp/process", {"text": "x", "task": "wrong"}))
    assert ended["state"] == "failed"
    assert ended["problem"]["code"] == "invalid_request"
    assert ended["problem"]["source"] == "nlp"


def test_the_same_idempotency_key_is_the_same_job(api: httpx.Client) -> None:
    body = {"text": "Once only.", "task": "language"}
    key = {"Idempotency-Key": "integration-once"}
    first, second = (submit(api, "/ai/nlp/process", body, **key) for _ in range(2))
    assert first["id"] == second["id"]


def test_a_running_job_is_cancelled(api: httpx.Client) -> None:
    job = submit(api, "/ai/llm/completion", {"prompt": "Count to a million.", "max_tokens": 2000})
    cancelled = api.delete(f"/jobs/{job['id']}")
    assert cancelled.status_code in (200, 202), cancelled.text
    assert wait(api, job)["state"] == "cancelled"


def test_the_events_of_a_job_end_with_its_end(api: httpx.Client) -> None:
    job = submit(api, "/ai/nlp/process", {"text": "Watch me.", "task": "language"})
    with api.stream("GET", f"/jobs/{job['id']}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line.startswith("data:")]
    assert json.loads(lines[-1].removeprefix("data:"))["state"] == "succeeded"


def test_jobs_are_listed_newest_first(api: httpx.Client) -> None:
    job = submit(api, "/ai/nlp/process", {"text": "List me.", "task": "language"})
    listed = api.get("/jobs", params={"limit": 5}).json()["jobs"]
    assert listed[0]["id"] == job["id"]
    wait(api, job)
