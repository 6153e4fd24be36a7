"""The orchestrator with its workflows, before a fake service that stands for all four."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx
import pytest
from aiohttp import web

from ai_semble.topology import UPSTREAMS
from orchestrator.app import create_app
from tests.support.fake_service import FakeService, Gate, fake_service
from tests.support.serving import serving
from tests.unit.gateway.conftest import runtime_for

NLP, LLM, DATA = "/ai/nlp/process", "/ai/llm/completion", "/data/process"
YAML = {"content-type": "application/yaml"}
Answer = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Platform:
    """A running orchestrator and what stands behind it."""

    api: httpx.Client
    service: FakeService
    folder: Path

    def put(self, text: str, name: str = "test") -> dict[str, Any]:
        answer = self.api.put(f"/workflows/{name}", content=dedent(text), headers=YAML)
        assert answer.status_code in (200, 201), answer.text
        stored: dict[str, Any] = answer.json()
        return stored

    def run(self, name: str = "test", /, **inputs: Any) -> str:
        """The id of a new run."""
        answer = self.api.post(f"/workflows/{name}/runs", json={"inputs": inputs})
        assert answer.status_code == 202, answer.text
        run_id: str = answer.json()["id"]
        return run_id

    def get(self, run_id: str) -> dict[str, Any]:
        run: dict[str, Any] = self.api.get(f"/runs/{run_id}").json()
        return run

    def ended(self, run_id: str) -> dict[str, Any]:
        """The run after its end, with its steps by name."""
        run: dict[str, Any] = self.api.get(f"/runs/{run_id}", params={"wait_s": 25}).json()
        assert run["ended_at"], run
        return {**run, "steps": {step["name"]: step for step in run["steps"]}}

    def result_of(self, workflow: str, **inputs: Any) -> dict[str, Any]:
        """Store, run, and wait for the end."""
        self.put(workflow)
        return self.ended(self.run(**inputs))

    def answer(self, path: str, answer: Answer) -> None:
        """Answer calls of a path with what is made of their bodies; a tuple is status and code of a problem."""
        self.service.on(path, answering(answer))

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [json.loads(call.body) for call in self.service.calls_of(path)]

    def hold(self, path: str) -> Gate:
        return self.service.hold(path)


def answering(answer: Answer) -> Callable[[web.Request], Any]:
    async def handler(request: web.Request) -> web.StreamResponse:
        made = answer(json.loads(await request.read()))
        if isinstance(made, tuple):
            status, code = made
            problem = {"type": "x", "title": "t", "status": status, "detail": f"it is {code}", "code": code}
            problem |= {"hint": "h", "request_id": "r", "source": "fake"}
            return web.json_response(problem, status=status, content_type="application/problem+json")
        return web.json_response(made)

    return handler


def echo(body: dict[str, Any]) -> dict[str, Any]:
    return {"result": body.get("text") or body.get("texts")}


@contextmanager
def platform(folder: Path, **sections: Any) -> Iterator[Platform]:
    """An orchestrator in this folder; with what is in it, if there was one before."""
    with ExitStack() as stack:
        service = stack.enter_context(fake_service())
        service.on(NLP, answering(echo))
        port = int(service.url.rpartition(":")[2])
        runtime = runtime_for(folder, dict.fromkeys(UPSTREAMS, port), **sections)
        url = stack.enter_context(serving(create_app(runtime)))
        api = stack.enter_context(httpx.Client(base_url=url, verify=False, timeout=30))
        yield Platform(api, service, folder)


# Of each module, since there is one DBOS a process.
@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with platform(tmp_path_factory.mktemp("workflows")) as made:
        yield made


@pytest.fixture
def here(shared: Platform) -> Platform:
    """The running orchestrator, with a service that only echoes."""
    shared.service.calls.clear()
    shared.service.on(NLP, answering(echo))
    return shared
