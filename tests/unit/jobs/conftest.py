"""The job layer in this process, before a fake service."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ai_semble.config import Config
from ai_semble.paths import Paths
from ai_semble.service import Runtime
from tests.support.fake_service import FakeService, fake_service
from tests.support.job_host import create_job_app
from tests.support.serving import serving

Host = Callable[..., AbstractContextManager[httpx.Client]]


def config_for(service: FakeService, **jobs: Any) -> Config:
    port = int(service.url.rpartition(":")[2])
    nowhere = {"port": 1}
    upstreams = {"nlp": {"port": port}, "llm": {"port": port}, "data": nowhere}
    return Config.model_validate({**upstreams, "jobs": jobs})


def app_for(service: FakeService, state: Path, **jobs: Any) -> FastAPI:
    runtime = Runtime.create("orchestrator", config_for(service, **jobs))
    paths = Paths(config_dir=state, data_dir=state, models_dir=state, state_dir=state)
    return create_job_app(dataclasses.replace(runtime, paths=paths))


@pytest.fixture
def service() -> Iterator[FakeService]:
    with fake_service() as running:
        yield running


@pytest.fixture
def host(service: FakeService, tmp_path: Path) -> Host:
    """`with host(workers=1) as api:` runs the job layer on this test's folder, as often as wanted."""

    @contextmanager
    def run(**jobs: Any) -> Iterator[httpx.Client]:
        with (
            serving(app_for(service, tmp_path, **jobs)) as url,
            httpx.Client(base_url=url, verify=False, timeout=30) as client,
        ):
            yield client

    return run


@pytest.fixture(scope="module")
def shared_service() -> Iterator[FakeService]:
    with fake_service() as running:
        yield running


@pytest.fixture(scope="module")
def api(shared_service: FakeService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """One running job layer for all tests of a module; each uses paths of its own."""
    app = app_for(shared_service, tmp_path_factory.mktemp("jobs"))
    with serving(app) as url, httpx.Client(base_url=url, verify=False, timeout=30) as client:
        yield client


def submit(api: httpx.Client, path: str, body: Any = b"{}", **headers: str) -> dict[str, Any]:
    """Submit a call; `path` begins with the service."""
    answer = api.post(path, content=body, headers={"content-type": "application/json", **headers})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def ended(api: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    """The job after its end."""
    seen: dict[str, Any] = api.get(f"/jobs/{job['id']}", params={"wait_s": 25}).json()
    assert seen["ended_at"], seen
    return seen


def state_of(api: httpx.Client, job: dict[str, Any]) -> str:
    state: str = api.get(f"/jobs/{job['id']}").json()["state"]
    return state


def frames(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    """Each event as `{"id", "event", "data"}`; heartbeats as `{"comment"}`."""
    frame: dict[str, Any] = {}
    for line in answer.iter_lines():
        if not line and frame:
            yield frame
            frame = {}
        elif line.startswith(":"):
            frame["comment"] = line[1:].strip()
        elif line:
            name, _, value = line.partition(": ")
            frame[name] = json.loads(value) if name == "data" else value


def watch(api: httpx.Client, job: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    with api.stream("GET", f"/jobs/{job['id']}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        return list(frames(answer))
