"""Every way in which a service can fail has its own answer, and says which service it was."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.raw_http import wait_until
from tests.support.upstream import Exchange
from tests.unit.gateway.conftest import Gateway

CHAT = "/v1/chat/completions"
COMPLETION = "/ai/llm/completion"


def test_a_service_that_is_down_is_503_and_named(down: httpx.Client) -> None:
    answer = down.post("/ai/nlp/process", json={})
    problem = answer.json()
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["source"]) == ("service_unavailable", "orchestrator")
    assert "nlp" in problem["detail"]
    assert problem["hint"]
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_under_v1_a_failure_has_openais_shape(down: httpx.Client) -> None:
    error = down.post(CHAT, json={}).json()["error"]
    assert (error["code"], error["type"]) == ("service_unavailable", "server_error")
    assert "llm" in error["message"]


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-", b"SMTP ready\r\n\r\n"], ids=repr)
def test_a_service_that_breaks_off_before_its_answer_is_502(
    gateway: Gateway, api: httpx.Client, sent: bytes
) -> None:
    async def break_off(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.send(sent)
        exchange.cut()

    gateway.llm.answer = break_off
    answer = api.post(COMPLETION, json={})
    assert (answer.status_code, answer.json()["code"]) == (502, "bad_gateway")
    assert "llm" in answer.json()["detail"]


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_a_service_that_breaks_off_in_its_answer_breaks_the_clients_connection(
    gateway: Gateway, api: httpx.Client, framing: str
) -> None:
    async def break_off(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.head(200, framing)
        await exchange.send(b"5\r\nbegun\r\n" if "chunked" in framing else b"begun")
        await asyncio.sleep(0.05)
        exchange.cut()

    gateway.llm.answer = break_off
    with pytest.raises(httpx.RemoteProtocolError):
        api.post(COMPLETION, json={})
    gateway.llm.reset()
    assert api.post(COMPLETION, json={}).status_code == 200


def test_a_silent_service_is_504_after_the_limit(gateway: Gateway, api: httpx.Client) -> None:
    gateway.llm.answer = Exchange.gone
    started = time.monotonic()
    answer = api.post(COMPLETION, json={})
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
    assert 0.9 < time.monotonic() - started < 4
    assert gateway.llm.last().ended.wait(2), "the service is told to stop"


def test_a_service_that_falls_silent_in_a_stream_breaks_it(gateway: Gateway, api: httpx.Client) -> None:
    async def fall_silent(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.head(200, "Transfer-Encoding: chunked")
        await exchange.chunk(b"begun")
        await exchange.gone()

    gateway.llm.answer = fall_silent
    with pytest.raises(httpx.RemoteProtocolError):
        api.post(COMPLETION, json={})


def test_a_slow_service_that_is_never_silent_for_long_is_waited_for(
    gateway: Gateway, api: httpx.Client
) -> None:
    async def drip(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.head(200, "Transfer-Encoding: chunked")
        for _ in range(8):
            await exchange.chunk(b"x")
            await asyncio.sleep(0.3)
        await exchange.send(b"0\r\n\r\n")

    gateway.llm.answer = drip
    assert api.post(COMPLETION, json={}).content == b"x" * 8


def test_a_service_that_stops_reading_an_upload_is_504(gateway: Gateway, api: httpx.Client) -> None:
    over = threading.Event()

    async def never_read(exchange: Exchange) -> None:
        await asyncio.to_thread(over.wait, 10)
        exchange.cut()

    data = gateway.services["data-processor"]
    data.answer = never_read
    answer = api.put("/data/datasets/big", content=iter([b"x" * 1_000_000] * 64))
    over.set()
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
    assert data.last().ended.wait(5)


def test_one_busy_service_refuses_more_and_the_others_go_on(gateway: Gateway, api: httpx.Client) -> None:
    release = asyncio.Event()

    async def wait(exchange: Exchange) -> None:
        await exchange.read_body()
        for _ in range(80):
            if release.is_set():
                break
            await asyncio.sleep(0.01)
        await exchange.answer(200, "text/plain", b"ok")

    gateway.llm.answer = wait
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(httpx.post, gateway.url + COMPLETION, json={}) for _ in range(8)]
        wait_until(lambda: len(gateway.llm.seen) == 8, "eight calls are in flight")
        refused = api.post(COMPLETION, json={})
        other = api.post("/ai/nlp/process", json={})
        release.set()
        assert {call.result().status_code for call in calls} == {200}
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert int(refused.headers["retry-after"]) >= 1
    assert "llm" in refused.json()["detail"]
    assert other.status_code == 200
    assert api.post(COMPLETION, json={}).status_code == 200


def test_failures_are_counted_by_service_and_code(gateway: Gateway, api: httpx.Client) -> None:
    gateway.llm.answer = cut
    api.post(COMPLETION, json={})
    sample = 'ai_semble_gateway_failures_total{code="bad_gateway",service="orchestrator",upstream="llm"}'
    assert sample in api.get("/metrics").text


async def cut(exchange: Exchange) -> None:
    exchange.cut()
