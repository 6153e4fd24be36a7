"""Calls that are made later go the same way as those that are waited for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.app import create_app
from tests.support.raw_http import wait_until
from tests.support.serving import serving
from tests.support.upstream import answering, upstream
from tests.unit.gateway.conftest import TOKEN, Gateway, runtime_for

ASYNC = {"Prefer": "respond-async"}
CALLS = {
    "/ai/llm/completion": "llm",
    "/ai/vision/analyze": "vision",
    "/ai/nlp/process": "nlp",
    "/data/process": "data-processor",
}


def ended(api: httpx.Client, location: str) -> dict[str, Any]:
    """The job when it has ended."""
    found: dict[str, Any] = {}

    def look() -> bool:
        found.update(api.get(location).json())
        return found["state"] in ("succeeded", "failed", "cancelled")

    wait_until(look, f"{location} ends")
    return found


@pytest.mark.parametrize("path", CALLS)
def test_a_call_becomes_a_job_that_reaches_the_service(
    gateway: Gateway, api: httpx.Client, path: str
) -> None:
    headers = {
        **ASYNC,
        "X-Request-ID": "later-1",
        "Authorization": "Bearer mine",
        "Content-Type": "application/json",
    }
    answer = api.post(f"{path}?x=1", content=b'{"a": 1}', headers=headers)
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    job = ended(api, answer.headers["location"])
    assert job["state"] == "succeeded"
    assert job["result"]["target"] == f"{path}?x=1"
    assert job["result"]["body"] == '{"a": 1}'
    told = gateway.services[CALLS[path]].last().headers
    assert told["x-request-id"] == "later-1"
    assert told["authorization"] == f"Bearer {TOKEN}"
    assert told["content-length"] == "8"


def test_under_v1_a_call_is_always_waited_for(api: httpx.Client) -> None:
    assert api.post("/v1/chat/completions", content=b"{}", headers=ASYNC).status_code == 200


def test_a_services_problem_is_the_jobs(gateway: Gateway, api: httpx.Client) -> None:
    problem = {
        "code": "invalid_request",
        "status": 422,
        "title": "t",
        "detail": "d",
        "hint": "h",
        "source": "nlp",
    }
    problem |= {"type": "urn:ai-semble:problem:invalid_request", "request_id": "r"}
    gateway.services["nlp"].answer = answering(422, "application/problem+json", json.dumps(problem).encode())
    job = ended(api, api.post("/ai/nlp/process", content=b"{}", headers=ASYNC).headers["location"])
    assert job["state"] == "failed"
    assert (job["problem"]["code"], job["problem"]["source"]) == ("invalid_request", "nlp")


@pytest.fixture
def fetching(tmp_path: Path) -> Iterator[tuple[httpx.Client, str]]:
    """A client of an orchestrator with a vision service, and the address of a picture."""
    with upstream() as files, upstream() as vision:
        files.answer = answering(200, "image/png", b"PNG")
        fetch = {"allowed_private_hosts": [f"127.0.0.1:{files.port}"]}
        runtime = runtime_for(tmp_path, {"vision": vision.port}, fetch=fetch)
        with serving(create_app(runtime)) as url, httpx.Client(base_url=url, timeout=10) as client:
            yield client, f"{files.url}/a.png"


def test_a_job_fetches_its_picture_too(fetching: tuple[httpx.Client, str]) -> None:
    api, picture = fetching
    answer = api.post("/ai/vision/analyze", json={"image_url": picture}, headers=ASYNC)
    job = ended(api, answer.headers["location"])
    assert job["state"] == "succeeded"
    assert "PNG" in job["result"]["body"]


def test_a_job_whose_url_is_refused_fails_with_that_problem(fetching: tuple[httpx.Client, str]) -> None:
    api, _ = fetching
    body = {"image_url": "http://169.254.169.254/"}
    answer = api.post("/ai/vision/analyze", json=body, headers=ASYNC)
    job = ended(api, answer.headers["location"])
    assert (job["state"], job["problem"]["code"]) == ("failed", "url_not_allowed")
