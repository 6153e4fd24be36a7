"""How many jobs run, wait and are kept."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from tests.support.fake_service import FakeService, wait_until
from tests.unit.jobs.conftest import Host, ended, state_of, submit


def test_a_waiting_job_that_is_cancelled_never_starts(host: Host, service: FakeService) -> None:
    gate = service.hold("/held")
    with host(workers=1) as api:
        running, waiting = submit(api, "/nlp/held"), submit(api, "/nlp/never")
        wait_until(lambda: gate.entered == 1, "the first runs")
        answer = api.delete(f"/jobs/{waiting['id']}")
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
        gate.open()
        assert ended(api, running)["state"] == "succeeded"
        assert ended(api, submit(api, "/nlp/after"))["state"] == "succeeded"
        assert state_of(api, waiting) == "cancelled"
    assert service.calls_of("/never") == []


def test_a_cancelled_job_gives_its_worker_back(host: Host, service: FakeService) -> None:
    service.hold("/held")
    with host(workers=1) as api:
        jobs = [submit(api, "/nlp/held") for _ in range(3)]
        for job in jobs:
            wait_until(partial(_runs, api, job), "its turn")
            api.delete(f"/jobs/{job['id']}")
        assert {ended(api, job)["state"] for job in jobs} == {"cancelled"}
        assert ended(api, submit(api, "/nlp/free"))["state"] == "succeeded"


def test_as_many_jobs_of_a_service_run_at_once_as_there_are_workers(host: Host, service: FakeService) -> None:
    gate = service.hold("/held")
    with host(workers=2) as api:
        jobs = [submit(api, "/nlp/held") for _ in range(6)]
        other = submit(api, "/llm/other")
        assert ended(api, other)["state"] == "succeeded"
        wait_until(lambda: gate.entered == 2, "two run")
        assert sorted(state_of(api, job) for job in jobs) == ["queued"] * 4 + ["running"] * 2
        gate.open()
        assert {ended(api, job)["state"] for job in jobs} == {"succeeded"}
    assert gate.entered == 6


def test_jobs_start_in_the_order_in_which_they_came(host: Host, service: FakeService) -> None:
    with host(workers=1) as api:
        bodies = [str(number).encode() for number in range(12)]
        for job in [submit(api, "/nlp/ordered", body) for body in bodies]:
            ended(api, job)
    assert [call.body for call in service.calls_of("/ordered")] == bodies


def test_more_than_may_wait_are_refused(host: Host, service: FakeService) -> None:
    gate = service.hold("/held")
    with host(workers=1, max_queued=3) as api:
        running = submit(api, "/nlp/held")
        wait_until(lambda: gate.entered == 1, "it runs")
        waiting = [submit(api, "/nlp/x") for _ in range(3)]
        refused = api.post("/nlp/x", content=b"{}")
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) > 0
        gate.open()
        assert {ended(api, job)["state"] for job in [running, *waiting]} == {"succeeded"}


def test_old_jobs_are_forgotten_with_their_files(host: Host, service: FakeService, tmp_path: Path) -> None:
    async def long_answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 100_000)

    service.on("/long", long_answer)
    with host() as api:
        job = submit(api, "/nlp/long", b"x" * 100_000)
        ended(api, job)
        bodies = tmp_path / "jobs" / "bodies"
        wait_until(lambda: [file.name for file in bodies.iterdir()] == [f"{job['id']}.result"], "one file")
    with host(retention_days=1e-9) as api:
        wait_until(lambda: api.get(f"/jobs/{job['id']}").status_code == 404, "it is forgotten")
        wait_until(lambda: not any(bodies.iterdir()), "no file is left")
        wait_until(lambda: 'state="succeeded"} 0.0' in api.get("/metrics").text, "it is not counted")


def test_a_key_is_known_after_a_restart(host: Host, service: FakeService) -> None:
    with host() as api:
        first = submit(api, "/nlp/x", **{"idempotency-key": "kept"})
        ended(api, first)
    with host() as api:
        assert submit(api, "/nlp/x", **{"idempotency-key": "kept"})["id"] == first["id"]
    assert len(service.calls_of("/x")) == 1


def _runs(api: httpx.Client, job: dict[str, Any]) -> bool:
    return state_of(api, job) == "running"


def test_the_engine_rests_without_jobs_and_wakes_for_the_next(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def polls() -> bool:
        return any("queue_thread" in thread.name for thread in threading.enumerate())

    monkeypatch.setattr("orchestrator.jobs.service.KEEP_EVERY_S", 0.05)
    monkeypatch.setattr("orchestrator.jobs.keeper.REST_AFTER_S", 0.1)
    monkeypatch.setattr("orchestrator.jobs.keeper.PURGE_AFTER_S", 0)
    with host() as api:
        for _ in range(2):
            assert ended(api, submit(api, "/nlp/x"))["state"] == "succeeded"
            wait_until(lambda: not polls(), "it rests")
