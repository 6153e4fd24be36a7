"""A call becomes a job: accepted, done, looked at, and its result fetched."""

from __future__ import annotations

import os

import httpx
from aiohttp import web

from tests.support.fake_service import FakeService, wait_until
from tests.unit.jobs.conftest import ended, state_of, submit


def test_a_call_is_accepted_with_the_address_of_its_job(api: httpx.Client) -> None:
    answer = api.post("/nlp/process", content=b'{"text": "x"}')
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/jobs/{job['id']}"
    assert answer.headers["preference-applied"] == "respond-async"
    assert job["state"] == "queued"
    assert job["request_id"] == answer.headers["x-request-id"]
    ended(api, job)


def test_a_json_answer_is_shown_with_the_job(api: httpx.Client) -> None:
    job = ended(api, submit(api, "/nlp/process", b'{"text": "x"}'))
    assert job["state"] == "succeeded"
    assert job["reason"] == "The service answered."
    assert job["result"] == {"length": 13, "echo": '{"text": "x"}'}
    assert job["result_type"].startswith("application/json")
    assert job["progress"]["fraction"] == 1.0
    assert job["attempts"] == 1
    assert job["created_at"] <= job["started_at"] <= job["ended_at"]


def test_the_service_sees_the_call_with_the_jobs_id_as_idempotency_key(
    api: httpx.Client, shared_service: FakeService
) -> None:
    job = ended(api, submit(api, "/nlp/seen?x=1", b"[1]", **{"x-request-id": "r-7", "idempotency-key": "k7"}))
    (call,) = shared_service.calls_of("/seen")
    assert call.body == b"[1]"
    assert call.headers["idempotency-key"] == job["id"]
    assert call.headers["x-request-id"] == "r-7"
    assert call.headers["content-length"] == "3"
    assert call.headers["content-type"] == "application/json"


def test_a_large_binary_answer_is_at_its_own_address(api: httpx.Client, shared_service: FakeService) -> None:
    picture = os.urandom(3_000_000)

    async def draw(_: web.Request) -> web.StreamResponse:
        return web.Response(body=picture, content_type="image/png")

    shared_service.on("/draw", draw)
    job = ended(api, submit(api, "/nlp/draw"))
    assert job["result"] is None
    assert job["result_bytes"] == len(picture)
    answer = api.get(job["result_url"])
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == picture


def test_a_large_request_arrives_whole(api: httpx.Client) -> None:
    body = b"x" * 5_000_000
    assert ended(api, submit(api, "/nlp/large", body))["result"]["length"] == len(body)


def test_the_result_of_a_job_that_has_not_ended_is_refused(
    api: httpx.Client, shared_service: FakeService
) -> None:
    gate = shared_service.hold("/held")
    job = submit(api, "/llm/held")
    answer = api.get(f"/jobs/{job['id']}/result")
    gate.open()
    assert answer.status_code == 409
    assert answer.json()["code"] == "job_has_not_ended"
    ended(api, job)


def test_a_refused_call_fails_with_the_services_problem(
    api: httpx.Client, shared_service: FakeService
) -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        problem = {
            "type": "urn:ai-semble:problem:invalid_request",
            "title": "The request has invalid fields",
            "status": 422,
            "detail": "task: unknown",
            "code": "invalid_request",
            "hint": "Correct it.",
            "request_id": "r",
            "source": "nlp",
        }
        return web.json_response(problem, status=422, content_type="application/problem+json")

    shared_service.on("/refused", refuse)
    job = ended(api, submit(api, "/nlp/refused"))
    assert job["state"] == "failed"
    assert job["reason"] == "The service refused the request; `problem` says why. (task: unknown)"
    assert job["problem"]["code"] == "invalid_request"
    assert job["problem"]["source"] == "nlp"
    assert job["attempts"] == 1
    answer = api.get(f"/jobs/{job['id']}/result")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_has_no_result")


def test_an_error_that_is_no_problem_document_is_told_as_one(
    api: httpx.Client, shared_service: FakeService
) -> None:
    async def crash(_: web.Request) -> web.StreamResponse:
        return web.Response(text="Traceback ...", status=500)

    shared_service.on("/crash", crash)
    job = ended(api, submit(api, "/nlp/crash"))
    assert job["reason_code"] == "service_failed"
    assert job["problem"]["status"] == 500
    assert "Traceback" in job["problem"]["detail"]


def test_openais_error_shape_is_understood(api: httpx.Client, shared_service: FakeService) -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        error = {
            "message": "too long", "type": "invalid_request_error", "param": None, "code": "prompt_too_long",
            "status": 400, "title": "Too long", "detail": "too long", "hint": "Shorten it.",
            "request_id": "r", "source": "llm",
        }  # fmt: skip
        return web.json_response({"error": error}, status=400)

    shared_service.on("/v1/chat/completions", refuse)
    job = ended(api, submit(api, "/llm/v1/chat/completions"))
    assert job["problem"]["code"] == "prompt_too_long"
    assert job["problem"]["type"] == "urn:ai-semble:problem:prompt_too_long"


def test_an_unknown_job_is_not_found_everywhere(api: httpx.Client) -> None:
    unknown = "0" * 32
    for method, path in (("GET", ""), ("GET", "/result"), ("GET", "/events"), ("DELETE", "")):
        answer = api.request(method, f"/jobs/{unknown}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found"), path
    assert api.get("/jobs/not-an-id").status_code == 404


def test_jobs_are_listed_in_pages_newest_first(api: httpx.Client) -> None:
    made = [submit(api, "/llm/listed")["id"] for _ in range(5)]
    first = api.get("/jobs", params={"service": "llm", "limit": 3}).json()
    assert [job["id"] for job in first["jobs"]] == made[:1:-1]
    second = api.get("/jobs", params={"service": "llm", "limit": 2, "cursor": first["next_cursor"]}).json()
    assert [job["id"] for job in second["jobs"]] == made[1::-1]
    wait_until(lambda: all(state_of(api, {"id": job}) == "succeeded" for job in made), "all five")
    failed = api.get("/jobs", params={"state": "failed"}).json()["jobs"]
    assert {job["state"] for job in failed} <= {"failed"}
    assert api.get("/jobs", params={"limit": 100}).json()["next_cursor"] is None
    assert api.get("/jobs", params={"unknown": 1}).status_code == 422


def test_waiting_for_a_job_ends_when_the_time_is_up(api: httpx.Client, shared_service: FakeService) -> None:
    gate = shared_service.hold("/patience")
    job = submit(api, "/llm/patience")
    assert api.get(f"/jobs/{job['id']}", params={"wait_s": 0.2}).json()["state"] in ("queued", "running")
    gate.open()
    assert ended(api, job)["state"] == "succeeded"


def test_the_metrics_count_jobs(api: httpx.Client) -> None:
    ended(api, submit(api, "/nlp/counted"))
    text = api.get("/metrics").text
    assert 'ai_semble_jobs{service="orchestrator",state="running"} 0.0' in text
    assert 'ai_semble_jobs_ended_total{service="orchestrator",state="succeeded",upstream="nlp"}' in text
    assert 'ai_semble_jobs_queue_wait_seconds_count{service="orchestrator",upstream="nlp"}' in text
