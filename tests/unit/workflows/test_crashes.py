"""kill -9 of the orchestrator before any write of a run: it goes on, and no step that was finished is run twice."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.fake_service import FakeService, fake_service, wait_until
from tests.support.job_host import HostProcess
from tests.support.serving import free_port
from tests.support.workflow_host import run_host
from tests.unit.workflows.conftest import NLP, YAML, answering, echo

Start = Callable[..., HostProcess]
WORKFLOW = """\
inputs:
  texts: {type: array}
steps:
  each:
    for_each: ${{ inputs.texts }}
    parallel: 1
    nlp: {task: language, text: "${{ item }}"}
  inner:
    after: [each]
    workflow:
      name: inner
      inputs: {text: "${{ steps.each.result[1].result }}"}
  maybe:
    when: ${{ steps.inner.result.told == 'never' }}
    nlp: {task: language, text: never}
outputs:
  told: ${{ steps.inner.result.told }}
"""
INNER = """\
inputs:
  text: {type: string}
steps:
  tell:
    nlp: {task: language, text: "inner ${{ inputs.text }}"}
outputs:
  told: ${{ steps.tell.result.result }}
"""
# Two to store the workflows, the rest of one run and its sub-run.
WRITES = 23


@pytest.fixture
def service() -> Iterator[FakeService]:
    with fake_service() as running:
        running.on(NLP, answering(echo))
        yield running


@pytest.fixture
def start(service: FakeService, tmp_path: Path) -> Iterator[Start]:
    variables = {
        name: str(tmp_path) for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "HOME")
    }
    variables["AI_SEMBLE_NLP__PORT"] = service.url.rpartition(":")[2]
    started: list[HostProcess] = []

    def run(dies_at: int | None = None) -> HostProcess:
        points = (str(dies_at),) if dies_at else ()
        process = HostProcess(free_port(), variables, tmp_path / "log", *points, run=run_host)
        process.start()
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()


def client(process: HostProcess) -> httpx.Client:
    return httpx.Client(base_url=process.url, timeout=30)


def put(api: httpx.Client) -> None:
    for name, text in (("inner", INNER), ("outer", WORKFLOW)):
        assert api.put(f"/workflows/{name}", content=text, headers=YAML).status_code in (200, 201)


def run(api: httpx.Client) -> dict[str, Any]:
    answer = api.post(
        "/workflows/outer/runs", json={"inputs": {"texts": ["a", "b"]}}, headers={"Idempotency-Key": "once"}
    )
    assert answer.status_code == 202, answer.text
    accepted: dict[str, Any] = answer.json()
    return accepted


def ended(api: httpx.Client, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/runs/{run_id}", params={"wait_s": 25}).json()
    assert found["ended_at"], found
    return found


@pytest.mark.parametrize("number", range(3, WRITES + 1, 2))
def test_a_run_survives_kill_9_before_each_of_its_writes(
    number: int, start: Start, service: FakeService
) -> None:
    dying = start(number)
    with client(dying) as api, suppress(httpx.TransportError):
        put(api)
        ended(api, run(api)["id"])
    dying.wait_for_death()
    with client(start()) as api:
        put(api)
        accepted = run(api)
        finished = ended(api, accepted["id"])
        assert finished["state"] == "succeeded", finished
        assert finished["outputs"] == {"told": "inner b"}
        assert [step["state"] for step in finished["steps"]] == ["succeeded", "succeeded", "skipped"]
        assert len(api.get("/workflows/outer/runs").json()["runs"]) == 1
        assert len(api.get("/workflows/inner/runs").json()["runs"]) == 1
        jobs = api.get("/jobs").json()["jobs"]
        assert len(jobs) == 3, "each call is one job, however often it was begun"
    made = defaultdict[str, set[str]](set)
    for call in service.calls_of(NLP):
        made[json.loads(call.body)["text"]].add(call.headers["idempotency-key"])
    assert {text: len(keys) for text, keys in made.items()} == {"a": 1, "b": 1, "inner b": 1}
    assert len(service.calls_of(NLP)) <= 4, "at most the call that was under way is made again"


def test_a_cancellation_survives_kill_9(start: Start, service: FakeService) -> None:
    gate = service.hold(NLP)
    first = start()
    with client(first) as api:
        put(api)
        run_id = run(api)["id"]
        wait_until(lambda: gate.entered == 1, "the first step runs")
    first.kill()
    second = start()
    with client(second) as api:
        wait_until(lambda: gate.entered == 2, "it runs again")
        assert api.post(f"/runs/{run_id}/cancel").status_code == 202
    second.kill()
    with client(start()) as api:
        assert ended(api, run_id)["state"] == "cancelled"
        wait_until(lambda: all(job["ended_at"] for job in api.get("/jobs").json()["jobs"]), "so is its job")


def test_a_graceful_stop_leaves_the_run_to_the_next_start(start: Start, service: FakeService) -> None:
    gate = service.hold(NLP)
    first = start()
    with client(first) as api:
        put(api)
        run_id = run(api)["id"]
        wait_until(lambda: gate.entered == 1, "the first step runs")
    first.stop()
    service.on(NLP, answering(echo))
    with client(start()) as api:
        assert ended(api, run_id)["state"] == "succeeded"
        assert len(api.get("/jobs").json()["jobs"]) == 3
