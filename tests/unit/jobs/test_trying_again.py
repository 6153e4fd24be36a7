"""A service that is down or busy is waited for; one that breaks the call is tried again, but not for ever."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from ai_semble.errors import InsufficientStorage
from orchestrator.jobs.moves import Ending
from orchestrator.jobs.records import Change
from orchestrator.jobs.store import JobStore
from tests.support.fake_service import FakeService, breaking_off, failing, fake_service, wait_until
from tests.support.serving import free_port, serving
from tests.unit.jobs.conftest import Host, app_for, ended, state_of, submit


@pytest.fixture(autouse=True)
def quick_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.jobs.slots.SHORTEST_S", 0.1)


def test_a_job_waits_until_its_service_is_there(host: Host, service: FakeService) -> None:
    with host() as api:
        job = submit(api, "/data-processor/late")
        wait_until(lambda: state_of(api, job) == "waiting", "it waits")
        seen = api.get(f"/jobs/{job['id']}").json()
        assert seen["reason_code"] == "service_unreachable"
        assert "cannot be reached" in seen["reason"]
        assert seen["next_attempt_at"] > seen["started_at"]


def test_a_service_that_comes_back_is_called_then(host: Host, tmp_path: Path) -> None:
    port = free_port()
    absent = FakeService()
    absent.url = f"http://127.0.0.1:{port}"
    with serving(app_for(absent, tmp_path)) as url, httpx.Client(base_url=url, timeout=30) as api:
        job = submit(api, "/nlp/late")
        wait_until(lambda: state_of(api, job) == "waiting", "it waits")
        with fake_service(port, absent):
            done = ended(api, job)
    assert done["state"] == "succeeded"
    assert done["attempts"] >= 2
    assert len(absent.calls) == 1


def test_a_busy_service_is_tried_again(host: Host, service: FakeService) -> None:
    service.on("/busy", failing(1, 503, "overloaded"))
    with host() as api:
        done = ended(api, submit(api, "/nlp/busy"))
    assert (done["state"], done["attempts"]) == ("succeeded", 2)


def test_a_call_that_breaks_off_is_made_again(host: Host, service: FakeService) -> None:
    service.on("/breaks", breaking_off(1))
    with host() as api:
        done = ended(api, submit(api, "/nlp/breaks"))
    assert (done["state"], done["attempts"]) == ("succeeded", 2)
    assert len(service.calls_of("/breaks")) == 2


def test_a_call_that_always_breaks_off_fails(host: Host, service: FakeService) -> None:
    service.on("/poison", breaking_off(1000))
    with host(max_breaks=2) as api:
        done = ended(api, submit(api, "/nlp/poison"))
    assert done["state"] == "failed"
    assert done["reason_code"] == "broke_too_often"
    assert done["problem"]["code"] == "bad_gateway"
    assert len(service.calls_of("/poison")) == 2


def test_patience_ends(host: Host, service: FakeService) -> None:
    service.on("/never", failing(1000, 503, "overloaded"))
    with host(retry_for_s=0.5) as api:
        done = ended(api, submit(api, "/nlp/never"))
    assert (done["state"], done["reason_code"]) == ("failed", "stayed_away")
    assert done["problem"]["code"] == "overloaded"


def test_a_model_that_is_not_installed_is_not_waited_for(host: Host, service: FakeService) -> None:
    service.on("/missing", failing(1000, 503, "model_not_installed"))
    with host() as api:
        done = ended(api, submit(api, "/nlp/missing"))
    assert (done["state"], done["attempts"]) == ("failed", 1)
    assert done["problem"]["code"] == "model_not_installed"


def test_a_call_that_takes_too_long_is_cut(host: Host, service: FakeService) -> None:
    gate = service.hold("/slow")
    with host(timeout_s=0.3) as api:
        done = ended(api, submit(api, "/nlp/slow"))
        wait_until(lambda: gate.aborted == 1, "the call is cut")
    assert (done["state"], done["reason_code"]) == ("failed", "timed_out")
    assert done["problem"]["code"] == "deadline_exceeded"


def test_a_dead_service_does_not_hold_up_the_others(host: Host, service: FakeService) -> None:
    with host(workers=1) as api:
        for _ in range(5):
            submit(api, "/data-processor/x")
        assert ended(api, submit(api, "/nlp/alive"))["state"] == "succeeded"


def test_a_dead_service_is_tried_by_few_jobs_at_a_time(host: Host) -> None:
    with host(workers=2) as api:
        jobs = [submit(api, "/data-processor/x") for _ in range(30)]
        wait_until(lambda: "waiting" in {state_of(api, job) for job in jobs}, "the first was tried")
        attempts = sum(api.get(f"/jobs/{job['id']}").json()["attempts"] for job in jobs)
    assert attempts <= 6


def test_an_end_that_cannot_be_written_is_written_when_the_disk_has_room(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    end, refusals = JobStore.end, [2]

    async def full_twice(store: JobStore, job_id: str, dispatch: int, ending: Ending) -> Change | None:
        if refusals[0]:
            refusals[0] -= 1
            raise InsufficientStorage("the disk is full")
        return await end(store, job_id, dispatch, ending)

    monkeypatch.setattr(JobStore, "end", full_twice)
    with host() as api:
        done = ended(api, submit(api, "/nlp/full"))
    assert (done["state"], done["attempts"], refusals) == ("succeeded", 1, [0])


def test_a_call_is_not_accepted_when_the_disk_is_full(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise InsufficientStorage("the disk is full")

    with host() as api:
        monkeypatch.setattr(JobStore, "accept", full)
        refused = api.post("/nlp/full", content=b"x" * 100_000)
        assert (refused.status_code, refused.json()["code"]) == (507, "insufficient_storage")
        assert api.get("/jobs").json()["jobs"] == []
