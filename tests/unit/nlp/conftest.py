"""Real engines, opened once, and the service with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ai_semble.config import Config
from ai_semble.schemas.health import State
from ai_semble.schemas.nlp_answers import NlpAnswer
from ai_semble.service import Runtime
from ai_services.nlp.app import create_app
from ai_services.nlp.engines.shelf import Engines
from ai_services.nlp.service import NlpService


def eventually(holds: Callable[[], bool], what: str, deadline_s: float = 30) -> None:
    """Wait until it holds; fail with `what` when it does not in time."""
    until = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < until, f"not in time: {what}"
        time.sleep(0.01)


def config(models_dir: str | Path, **nlp: Any) -> Config:
    return Config.model_validate({"models": {"directory": str(models_dir)}, "nlp": nlp})


@pytest.fixture(scope="session")
def api(models_dir: str) -> Iterator[TestClient]:
    """The service's HTTP surface. Models are opened as the tests ask for them."""
    runtime = Runtime.create("nlp", config(models_dir))
    with TestClient(
        create_app(runtime), base_url="http://localhost", raise_server_exceptions=False
    ) as client:
        eventually(lambda: runtime.health.state is State.READY, "the service is ready")
        yield client


@pytest.fixture(scope="session")
def engines(api: TestClient) -> Engines:
    """The service's own engines, so that no model is opened twice."""
    service: NlpService = api.app.state.nlp  # type: ignore[attr-defined]
    return service.engines


@pytest.fixture(scope="session")
def process(api: TestClient) -> Any:
    """Post a request; the answer must be as documented."""

    def post(**fields: Any) -> dict[str, Any]:
        answer = api.post("/ai/nlp/process", json=fields)
        assert answer.status_code == 200, answer.text
        NlpAnswer.model_validate_json(answer.content)
        content: dict[str, Any] = answer.json()
        return content

    return post


def problem(answer: Any) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    content: dict[str, Any] = answer.json()
    assert content["hint"]
    return content
