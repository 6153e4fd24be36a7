"""What every service does with every request, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from ai_semble.config import Config, LlmConfig, ServerConfig
from ai_semble.errors import Overloaded
from ai_semble.logs import configure_logs
from ai_semble.schemas.health import State
from ai_semble.service import Runtime, create_service_app
from tests.support.attacks import attack
from tests.support.raw_http import connection, head
from tests.support.serving import serving

TOKEN = "the-token-of-this-test"
OWN_NAME = "ai-semble-llm.dns.podman"


class Number(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: int


def routes() -> APIRouter:
    router = APIRouter()

    @router.post("/double")
    async def double(body: Number) -> dict[str, int]:
        return {"double": body.number * 2}

    @router.post("/v1/double")
    async def openai_double(body: Number) -> dict[str, int]:
        return {"double": body.number * 2}

    @router.get("/busy")
    async def busy() -> None:
        raise Overloaded("three are waiting", retry_after=2.4, extra={"waiting": 3})

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a detail nobody outside may see")

    @router.put("/stream/{name}")
    async def stream(name: str, request: Request) -> dict[str, Any]:
        return {"name": name, "bytes": sum([len(part) async for part in request.stream()])}

    @router.get("/long")
    async def long() -> None:
        await asyncio.sleep(60)

    @router.post("/reads")
    async def reads(request: Request) -> int:
        return len(await request.body())

    @router.get("/breaks-off")
    async def breaks_off() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"begun"
            raise RuntimeError("mid-way")

        return StreamingResponse(parts())

    return router


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.runtime.health.set_state(State.READY)
    yield


def application() -> FastAPI:
    runtime = Runtime.create(
        "llm",
        Config(server=ServerConfig(max_body_bytes=1000, max_requests=5), llm=LlmConfig(address=OWN_NAME)),
        token=TOKEN,
    )
    return create_service_app(
        runtime,
        title="Test",
        description="Test",
        routers=[routes()],
        lifespan=lifespan,
        unbounded_paths=("/stream/",),
    )


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with (
        serving(application()) as url,
        httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}) as http,
    ):
        yield http


def test_a_good_request_is_answered_with_a_request_id(client: httpx.Client) -> None:
    answer = client.post("/double", json={"number": 4})
    assert answer.json() == {"double": 8}
    assert len(answer.headers["x-request-id"]) == 32


def test_it_answers_to_the_name_that_the_gateway_calls_it_by_and_to_no_siblings(client: httpx.Client) -> None:
    names = (f"{OWN_NAME}:8081", "ai-semble-nlp.dns.podman:8083", "ai-semble-llm")
    answers = [client.get("/health", headers={"Host": name}).status_code for name in names]
    assert answers == [200, 403, 403]


def test_the_callers_request_id_is_kept_when_it_is_harmless(client: httpx.Client) -> None:
    kept = client.get("/health", headers={"X-Request-ID": "order-17"})
    assert kept.headers["x-request-id"] == "order-17"
    for harmful in ("x" * 65, 'a"b', "a b"):
        replaced = client.get("/health", headers={"X-Request-ID": harmful})
        assert replaced.headers["x-request-id"] != harmful


def test_unknown_and_wrong_fields_are_named_in_one_problem(client: httpx.Client) -> None:
    answer = client.post("/double", json={"number": "four", "extra": 1}, headers={"X-Request-ID": "r1"})
    problem = answer.json()
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert {error["field"] for error in problem["errors"]} == {"number", "extra"}
    assert {key: problem[key] for key in ("code", "status", "source", "request_id", "type")} == {
        "code": "invalid_request",
        "status": 422,
        "source": "llm",
        "request_id": "r1",
        "type": "urn:ai-semble:problem:invalid_request",
    }
    assert problem["hint"]


def test_under_v1_an_error_has_the_shape_that_openai_sdks_read(client: httpx.Client) -> None:
    error = client.post("/v1/double", json={"number": "four"}).json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["code"] == "invalid_request"
    assert error["param"] == "number"
    assert "number" in error["message"]


@pytest.mark.parametrize("body", [b"{bad", b"\xff\xfe", b"[" * 900, b'{"number": 1' + b"0" * 900], ids=repr)
def test_a_body_that_is_no_json_is_a_client_error(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/double", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("malformed_body", "invalid_request")


def test_a_body_over_the_limit_is_refused_announced_or_not(client: httpx.Client) -> None:
    announced = client.post("/double", content=b" " * 1001)

    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    streamed = client.post("/double", content=chunks(), headers={"Content-Type": "application/json"})
    for answer in (announced, streamed):
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_path_that_streams_has_no_body_limit(client: httpx.Client) -> None:
    assert client.put("/stream/x", content=b"y" * 5000).json()["bytes"] == 5000


def test_without_the_services_token_nothing_but_health_is_answered(client: httpx.Client) -> None:
    for authorization in ("", "Bearer wrong", f"Basic {TOKEN}", TOKEN):
        answer = client.post("/double", json={"number": 1}, headers={"Authorization": authorization})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert client.get("/health", headers={"Authorization": ""}).status_code == 200


@attack(
    threat="A defect's traceback tells about the inside",
    control="An unexpected error is answered without its text",
    file="containers/base/src/ai_semble/envelope.py",
)
def test_a_defect_is_a_500_that_tells_nothing_of_the_inside(client: httpx.Client) -> None:
    answer = client.get("/broken")
    assert answer.status_code == 500
    assert "nobody outside" not in answer.text
    assert answer.json()["code"] == "internal_error"


def test_an_error_may_say_when_to_come_back_and_more(client: httpx.Client) -> None:
    answer = client.get("/busy")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["waiting"] == 3


def test_an_answer_that_breaks_off_is_seen_as_broken_by_the_client(client: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/breaks-off")
    assert client.post("/double", json={"number": 1}).status_code == 200


def test_a_request_that_a_stop_cuts_off_may_be_sent_again() -> None:
    with ThreadPoolExecutor(1) as pool:
        with serving(application()) as url:
            authorized = {"Authorization": f"Bearer {TOKEN}"}
            cut_off = pool.submit(httpx.get, f"{url}/long", headers=authorized, timeout=30)
            while not re.search(r"in_flight\S* 2", httpx.get(f"{url}/metrics").text):
                time.sleep(0.01)
        answer = cut_off.result()
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert answer.headers["retry-after"] == "1"


def test_an_unknown_path_and_a_wrong_method_are_problems_too(client: httpx.Client) -> None:
    assert client.get("/nowhere").json()["code"] == "not_found"
    wrong = client.get("/double")
    assert wrong.json()["code"] == "method_not_allowed"
    assert "POST" in wrong.headers["allow"]


def test_health_tells_state_version_device_memory_and_uptime(client: httpx.Client) -> None:
    health = client.get("/health").json()
    assert health["state"] == "ready"
    assert health["device"] == "cpu"
    assert health["memory_bytes"] > 10_000_000
    assert health["uptime_s"] >= 0
    assert client.get("/health/live").json() == {"status": "alive"}
    assert client.get("/health/ready").json()["ready"] is True


def test_metrics_count_requests_by_route_and_status(client: httpx.Client) -> None:
    client.post("/double", json={"number": 4})
    client.post("/double", json={"number": "x"})
    text = client.get("/metrics").text
    good = 'ai_semble_http_requests_total{method="POST",route="/double",service="llm",status="200"} 1.0'
    bad = 'ai_semble_http_requests_total{method="POST",route="/double",service="llm",status="422"} 1.0'
    assert good in text
    assert bad in text
    assert 'ai_semble_http_requests_in_flight{service="llm"} 1.0' in text


def test_every_request_is_one_json_log_line_with_its_id(
    client: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logs("llm", "info")
    client.post("/double", json={"number": 4}, headers={"X-Request-ID": "line-1"})
    lines = wait_for_lines(capfd, '"line-1"')
    assert len(lines) == 1
    assert lines[0]["action"] == "request"
    assert lines[0]["level"] == "INFO"
    assert lines[0]["service"] == "llm"
    assert lines[0]["status"] == 200


@attack(
    threat="Thousands of clients that leave in the middle of a body fill the log with defects",
    control="A client that left is one line, and no defect",
    file="containers/base/src/ai_semble/problems.py",
)
def test_a_client_that_leaves_while_its_body_is_read_is_no_defect(
    client: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logs("llm", "info")
    told = (f"Authorization: Bearer {TOKEN}", "X-Request-ID: left-1", "Content-Length: 9")
    with connection(int(client.base_url.port or 0)) as leaving:
        leaving.sendall(head("POST", "/reads", *told) + b"a")
    lines = wait_for_lines(capfd, '"left-1"')
    assert [(line["action"], line["status"]) for line in lines] == [("request", 499)]


def wait_for_lines(capfd: pytest.CaptureFixture[str], mark: str) -> list[dict[str, Any]]:
    """The log lines with the mark. They are written just after the answer, so the client may be faster."""
    deadline, output = time.monotonic() + 5, ""
    while mark not in output and time.monotonic() < deadline:
        time.sleep(0.01)
        output += capfd.readouterr().out
    return [json.loads(line) for line in output.splitlines() if mark in line]


def test_a_name_that_is_not_ours_reads_nothing_not_even_health(client: httpx.Client) -> None:
    for path in ("/health", "/metrics", "/double"):
        answer = client.get(path, headers={"Host": "rebound.example"})
        assert (answer.status_code, answer.json()["code"]) == (403, "host_not_allowed")


def test_only_health_and_metrics_themselves_are_open(client: httpx.Client) -> None:
    for path in ("/healthy", "/metrics/all", "/health/x"):
        answer = client.get(path, headers={"Authorization": ""})
        assert answer.json()["code"] == "unauthorized"


def test_the_log_line_of_a_refused_request_says_why(
    client: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logs("llm", "info")
    client.post("/double", json={"number": "x"}, headers={"X-Request-ID": "line-2"})
    [refused] = wait_for_lines(capfd, '"line-2"')
    client.post("/double", json={"number": 1}, headers={"X-Request-ID": "line-3"})
    [answered] = wait_for_lines(capfd, '"line-3"')
    assert refused["code"] == "invalid_request"
    assert "code" not in answered
