"""The body of a job is bounded where the same call without a job is streamed without a bound."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ai_semble.config import Config
from ai_semble.paths import Paths
from ai_semble.service import Runtime
from orchestrator.app import create_app
from tests.support.serving import serving

MOST = 150_000
ADDRESS = "/data/process"
HEADERS = {"prefer": "respond-async", "content-type": "application/octet-stream"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[httpx.Client]:
    """The whole orchestrator, without a service behind it: the jobs only wait."""
    nowhere = {name: {"port": 1} for name in ("llm", "vision", "nlp")}
    limits = {"server": {"max_body_bytes": 50_000}, "data": {"port": 1, "max_upload_bytes": MOST - 50_000}}
    runtime = Runtime.create("orchestrator", Config.model_validate({**nowhere, **limits}))
    paths = Paths(config_dir=tmp_path, data_dir=tmp_path, models_dir=tmp_path, state_dir=tmp_path)
    app = create_app(dataclasses.replace(runtime, paths=paths))
    with serving(app) as url, httpx.Client(base_url=url, timeout=10, headers=HEADERS) as client:
        yield client


def unannounced(size: int) -> Iterator[bytes]:
    for start in range(0, size, 10_000):
        yield b"x" * min(10_000, size - start)


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_long_for_a_job_leaves_nothing(
    api: httpx.Client, tmp_path: Path, announced: bool
) -> None:
    refused = api.post(ADDRESS, content=b"x" * (MOST + 1) if announced else unannounced(MOST + 1))
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")
    assert "data.max_upload_bytes" in refused.json()["hint"]
    assert list((tmp_path / "jobs" / "bodies").iterdir()) == []
    assert api.get("/jobs").json()["jobs"] == []


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_as_long_as_allowed_is_taken(api: httpx.Client, announced: bool) -> None:
    answer = api.post(ADDRESS, content=b"x" * MOST if announced else unannounced(MOST))
    assert answer.status_code == 202, answer.text


def test_a_body_that_is_announced_too_long_is_refused_before_it_is_sent(api: httpx.Client) -> None:
    address = (api.base_url.host, api.base_url.port or 80)
    lines = (f"POST {ADDRESS} HTTP/1.1", "Host: localhost", "Prefer: respond-async", "Expect: 100-continue")
    head = "\r\n".join((*lines, f"Content-Length: {MOST + 1}", "", ""))
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 413"
