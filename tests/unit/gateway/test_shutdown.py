"""Stopping: what runs may end, what never would is cut, and nothing is left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ai_semble.topology import SERVICES
from tests.support.raw_http import wait_until
from tests.support.serving import free_port
from tests.support.upstream import Exchange, Upstream, upstream
from tests.support.worlds import ai_semble, private_variables

CHAT = "/v1/chat/completions"
GRACE_S = 1


@pytest.fixture
def llm() -> Iterator[Upstream]:
    with upstream() as service:
        yield service


@pytest.fixture
def process(tmp_path: Path, llm: Upstream) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`ai-semble serve orchestrator` as a process of its own, and its address."""
    ports = {**{name: free_port() for name in SERVICES}, "llm": llm.port}
    variables = private_variables(tmp_path, tmp_path, ports, "http://127.0.0.1:1")
    variables["AI_SEMBLE_SERVER__SHUTDOWN_GRACE_S"] = str(GRACE_S)
    command = [ai_semble(), "serve", "orchestrator"]
    url = f"http://127.0.0.1:{ports['orchestrator']}"
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        try:
            wait_until(lambda: answers(url), "the orchestrator answers", deadline_s=30)
            yield running, url
        finally:
            running.kill()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live").is_success
    except httpx.TransportError:
        return False


def stop(process: subprocess.Popen[bytes]) -> float:
    """Seconds that the process took to end by itself."""
    started = time.monotonic()
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode in (0, -signal.SIGTERM)
    return time.monotonic() - started


def test_a_running_request_gets_its_answer(
    process: tuple[subprocess.Popen[bytes], str], llm: Upstream
) -> None:
    async def slow(exchange: Exchange) -> None:
        await exchange.read_body()
        await asyncio.sleep(0.5)
        await exchange.answer(200, "text/plain", b"done")

    llm.answer = slow
    running, url = process
    found: list[httpx.Response] = []
    caller = threading.Thread(target=lambda: found.append(httpx.post(url + CHAT, content=b"{}")))
    caller.start()
    wait_until(lambda: bool(llm.seen), "the request is under way")
    assert stop(running) < GRACE_S + 5
    caller.join()
    assert [answer.text for answer in found] == ["done"]


def test_a_stream_without_end_is_cut_after_the_grace(
    process: tuple[subprocess.Popen[bytes], str], llm: Upstream
) -> None:
    async def endless(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.head(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
        while True:
            await exchange.chunk(b"data: token\n\n")
            await asyncio.sleep(0.02)

    llm.answer = endless
    running, url = process
    with httpx.stream("POST", url + CHAT, content=b"{}", timeout=20) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        seconds: list[float] = []
        stopper = threading.Thread(target=lambda: seconds.append(stop(running)))
        stopper.start()
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in pieces:
                pass
        stopper.join()
    assert GRACE_S * 0.8 < seconds[0] < GRACE_S + 5
    assert llm.last().ended.wait(5), "the service is told to stop"


def test_an_idle_connection_does_not_hold_it_up(process: tuple[subprocess.Popen[bytes], str]) -> None:
    running, url = process
    with httpx.Client(base_url=url) as client:
        client.get("/health/live")
        assert stop(running) < GRACE_S + 4


def test_a_watched_job_does_not_hold_it_up(
    process: tuple[subprocess.Popen[bytes], str], llm: Upstream
) -> None:
    llm.answer = Exchange.gone
    running, url = process
    job = httpx.post(f"{url}/ai/llm/completion", content=b"{}", headers={"Prefer": "respond-async"})
    assert job.status_code == 202
    with httpx.stream("GET", f"{url}{job.headers['location']}/events", timeout=20) as events:
        pieces = events.iter_text()
        next(pieces)
        started = time.monotonic()
        os.kill(running.pid, signal.SIGTERM)
        for _ in pieces:
            pass
        assert time.monotonic() - started < GRACE_S, "the stream ended by itself"
    running.communicate(timeout=20)
