"""kill -9 of the orchestrator at any point: every accepted job ends, and ends once."""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.fake_service import FakeService, failing, wait_until
from tests.support.job_host import KILL_POINTS, HostProcess
from tests.support.serving import free_port
from tests.unit.jobs.conftest import ended, submit

ENDED = ("succeeded", "failed", "cancelled")
Start = Callable[..., HostProcess]


@pytest.fixture
def start(service: FakeService, tmp_path: Path) -> Iterator[Start]:
    """`start(kill_point)` starts an orchestrator on this test's folder; what is left is killed at the end."""
    variables = {
        name: str(tmp_path) for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "HOME")
    }
    for upstream in ("NLP", "LLM"):
        variables[f"AI_SEMBLE_{upstream}__PORT"] = service.url.rpartition(":")[2]
    started: list[HostProcess] = []

    def run(*points: str, **jobs: object) -> HostProcess:
        keys = {f"AI_SEMBLE_JOBS__{key.upper()}": str(value) for key, value in jobs.items()}
        process = HostProcess(free_port(), variables | keys, tmp_path / "orchestrator.log", *points)
        process.start()
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()


def client(process: HostProcess) -> httpx.Client:
    return httpx.Client(base_url=process.url, timeout=30)


def rows(tmp_path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(tmp_path / "ai-semble" / "default" / "jobs" / "jobs.sqlite")) as connection:
        return connection.execute(sql).fetchall()


def check_that_each_ended_once(tmp_path: Path) -> None:
    """The event log: each job ended exactly once, and nothing happened after that."""
    for (job,) in rows(tmp_path, "SELECT id FROM jobs"):
        events = rows(
            tmp_path, f"SELECT number, state FROM job_events WHERE job_id = '{job}' ORDER BY number"
        )
        states = [state for _, state in events]
        assert [number for number, _ in events] == list(range(1, len(events) + 1))
        assert [state in ENDED for state in states] == [False] * (len(states) - 1) + [True], states
        assert rows(tmp_path, f"SELECT state FROM jobs WHERE id = '{job}'") == [(states[-1],)]


def outcome(api: httpx.Client, path: str, key: str) -> dict[str, Any] | None:
    """The job, when the orchestrator lived long enough to say so."""
    with suppress(httpx.TransportError):
        return submit(api, path, b"[1]", **{"idempotency-key": key})
    return None


CALLING = sorted(point for point in KILL_POINTS if "cancel" not in point and "postponing" not in point)


@pytest.mark.parametrize("point", CALLING)
def test_a_job_survives_kill_9(point: str, start: Start, service: FakeService, tmp_path: Path) -> None:
    dying = start(point)
    with client(dying) as api:
        accepted = outcome(api, "/nlp/work", "k")
    dying.wait_for_death()
    with client(start()) as api:
        job = submit(api, "/nlp/work", b"[1]", **{"idempotency-key": "k"})
        assert accepted is None or accepted["id"] == job["id"]
        assert ended(api, job)["state"] == "succeeded"
        assert [listed["id"] for listed in api.get("/jobs").json()["jobs"]] == [job["id"]]
    check_that_each_ended_once(tmp_path)
    calls = service.calls_of("/work")
    assert 1 <= len(calls) <= 2
    assert {call.headers["idempotency-key"] for call in calls} == {job["id"]}


@pytest.mark.parametrize("point", ["before_postponing", "after_postponing"])
def test_a_job_that_waits_survives_kill_9(
    point: str, start: Start, service: FakeService, tmp_path: Path
) -> None:
    service.on("/busy", failing(1, 503, "overloaded"))
    dying = start(point)
    with client(dying) as api:
        job = submit(api, "/nlp/busy")
    dying.wait_for_death()
    with client(start()) as api:
        assert ended(api, job)["state"] == "succeeded"
    check_that_each_ended_once(tmp_path)


@pytest.mark.parametrize("point", ["after_asking_to_cancel", "before_confirming_the_cancel"])
def test_a_cancellation_survives_kill_9(
    point: str, start: Start, service: FakeService, tmp_path: Path
) -> None:
    gate = service.hold("/held")
    dying = start(point)
    with client(dying) as api:
        job = submit(api, "/nlp/held")
        wait_until(lambda: gate.entered == 1, "it runs")
        with suppress(httpx.TransportError):
            api.delete(f"/jobs/{job['id']}")
    dying.wait_for_death()
    with client(start()) as api:
        assert ended(api, job)["state"] == "cancelled"
    assert gate.entered == 1
    check_that_each_ended_once(tmp_path)


def test_a_job_that_is_killed_during_its_call_is_done_again(
    start: Start, service: FakeService, tmp_path: Path
) -> None:
    gate = service.hold("/held")
    first = start()
    with client(first) as api:
        job = submit(api, "/nlp/held", b"x" * 100_000)
        wait_until(lambda: gate.entered == 1, "it runs")
    first.kill()
    wait_until(lambda: gate.aborted == 1, "the service saw its caller go")
    gate.open()
    with client(start()) as api:
        done = ended(api, job)
        events = api.get(f"/jobs/{job['id']}/events").text
    assert (done["state"], done["attempts"]) == ("succeeded", 2)
    assert '"restarted"' in events
    assert [len(call.body) for call in service.calls_for(job["id"])] == [100_000, 100_000]
    check_that_each_ended_once(tmp_path)


def test_a_job_that_kills_the_orchestrator_again_and_again_fails(
    start: Start, service: FakeService, tmp_path: Path
) -> None:
    dying = start("before_recording", max_breaks=2)
    with client(dying) as api:
        job = submit(api, "/nlp/poison")
    dying.wait_for_death()
    start("before_recording", max_breaks=2).wait_for_death()
    with client(start(max_breaks=2)) as api:
        done = ended(api, job)
    assert (done["state"], done["reason_code"]) == ("failed", "broke_too_often")
    assert done["problem"]["code"] == "job_broken_off"
    assert done["problem"]["request_id"] == job["request_id"]
    check_that_each_ended_once(tmp_path)


def test_a_stopped_orchestrator_continues_its_jobs_at_the_next_start(
    start: Start, service: FakeService, tmp_path: Path
) -> None:
    gate = service.hold("/held")
    first = start(workers=1)
    with client(first) as api:
        jobs = [submit(api, "/nlp/held") for _ in range(3)]
        wait_until(lambda: gate.entered == 1, "one runs")
    first.stop()
    assert first.process.exitcode == -signal.SIGTERM  # as uvicorn ends after a clean stop
    gate.open()
    with client(start(workers=1)) as api:
        assert {ended(api, job)["state"] for job in jobs} == {"succeeded"}
    assert rows(tmp_path, "SELECT SUM(breaks) FROM jobs") == [(0,)]
    check_that_each_ended_once(tmp_path)


def test_jobs_survive_the_loss_of_the_engines_database(
    start: Start, service: FakeService, tmp_path: Path
) -> None:
    gate = service.hold("/held")
    first = start(workers=1)
    with client(first) as api:
        jobs = [submit(api, "/nlp/held") for _ in range(3)]
        wait_until(lambda: gate.entered == 1, "one runs")
    first.kill()
    gate.open()
    for file in (tmp_path / "ai-semble" / "default" / "jobs").glob("engine.sqlite*"):
        file.unlink()
    with client(start(workers=1)) as api:
        assert {ended(api, job)["state"] for job in jobs} == {"succeeded"}
    check_that_each_ended_once(tmp_path)


def test_a_killed_orchestrator_loses_no_job(start: Start, service: FakeService, tmp_path: Path) -> None:
    """Killed at any moment, several times, while clients submit: what was accepted ends, once."""
    accepted: list[str] = []
    where: list[str] = [""]
    done = threading.Event()

    def keep_submitting(name: int) -> None:
        number = 0
        with httpx.Client(timeout=5) as api:
            while not done.is_set():
                body = f"{name} {number}".encode()
                with suppress(httpx.TransportError):
                    key = {"idempotency-key": f"{name}.{number}"}
                    answer = api.post(f"{where[0]}/nlp/load", content=body, headers=key)
                    accepted.append(answer.json()["id"])
                    number += 1
                time.sleep(0.01)

    first = start()
    where[0] = first.url
    threads = [threading.Thread(target=keep_submitting, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    process = first
    for pause in (0.7, 0.4, 0.55):
        time.sleep(pause)
        process.kill()
        process = start(max_breaks=10)
        where[0] = process.url
    done.set()
    for thread in threads:
        thread.join()
    with client(process) as api:
        assert len(set(accepted)) > 10
        assert {ended(api, {"id": job})["state"] for job in set(accepted)} == {"succeeded"}
        wait_until(lambda: not api.get("/jobs", params={"state": "running"}).json()["jobs"], "all ended")
    check_that_each_ended_once(tmp_path)
    assert {call.headers["idempotency-key"] for call in service.calls} >= set(accepted)


def test_every_line_that_is_logged_is_json(start: Start, tmp_path: Path) -> None:
    process = start()
    with client(process) as api:
        ended(api, submit(api, "/nlp/logged"))
    process.stop()
    lines = (tmp_path / "orchestrator.log").read_text().splitlines()
    actions = [json.loads(line)["action"] for line in lines]
    assert "jobs_engine_started" in actions
    assert actions.count("job_moved") == 3
