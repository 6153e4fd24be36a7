"""The real service on the real engine and the small model, started once for most tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from ai_semble.config import Config
from ai_semble.service import Runtime
from ai_services.llm.app import create_app
from tests.support.serving import serving

MODEL = "smollm2-135m-instruct"
CONTEXT = 512
SLOTS = 2
QUEUE = 1
PARIS = "What is the capital of France? Answer in one sentence."
HOST = "ai_services.llm.engines.llama.host"


@dataclass(frozen=True)
class Service:
    """A running language model service."""

    url: str
    client: httpx.Client

    def ask(self, **question: Any) -> httpx.Response:
        return self.client.post("/ai/llm/completion", json={"temperature": 0, **question})

    def text(self, **question: Any) -> str:
        answer = self.ask(**question)
        assert answer.status_code == 200, answer.text
        text: str = answer.json()["text"]
        return text

    def problem(self, status: int, code: str, **question: Any) -> dict[str, Any]:
        answer = self.ask(**question)
        problem: dict[str, Any] = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code), problem
        assert problem["hint"]
        return problem

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = self.client.get("/metrics").text.splitlines()
        mine = (line for line in lines if line.startswith((f"{name}{{", f"{name} ")))
        return sum(float(line.split()[-1]) for line in mine if all(label in line for label in wanted))

    def is_ready(self) -> bool:
        return self.client.get("/health/ready").status_code == 200

    def busy(self) -> float:
        return self.metric("ai_semble_llm_slots_busy")


@contextmanager
def running(models_dir: str | Path, *, ready: bool = True, **llm: Any) -> Iterator[Service]:
    """A service with this `[llm]` section."""
    settings = {"context": CONTEXT, "parallel": SLOTS, "queue": QUEUE, "threads": 1, **llm}
    config = Config.model_validate({"models": {"directory": str(models_dir)}, "llm": settings})
    with (
        serving(create_app(Runtime.create("llm", config))) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        service = Service(url, client)
        if ready:
            eventually(service.is_ready, "the model is loaded")
        yield service


def eventually(true: Callable[[], bool], what: str, within_s: float = 60) -> None:
    """Poll until a condition holds; a busy machine may need long for what is done in a second."""
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it never happened: {what}")
        time.sleep(0.01)


def hosts() -> set[psutil.Process]:
    """The processes of llama.cpp that this test run has started."""
    children = psutil.Process().children(recursive=True)
    return {child for child in children if HOST in child.cmdline()}


@pytest.fixture(scope="session")
def service(models_dir: str) -> Iterator[Service]:
    with running(models_dir) as service:
        yield service
