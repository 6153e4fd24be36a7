"""Some of the disk stays free, whatever is submitted and answered."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from aiohttp import web

from ai_semble.room import Room
from orchestrator.jobs.store import JobStore
from tests.support.attacks import attack
from tests.support.fake_service import FakeService, wait_until
from tests.unit.jobs.conftest import Host, ended, submit

ROOM_FILE = "containers/base/src/ai_semble/room.py"
LONG = b"x" * 400_000


def refused(answer: httpx.Response) -> bool:
    problem = answer.json()
    assert "resources.keep_free_disk" in problem["hint"]
    return (answer.status_code, problem["code"]) == (507, "insufficient_storage")


@attack(
    threat="Requests and results of jobs fill the disk of the machine",
    control="`resources.keep_free_disk`: no job is accepted and no long result kept that would leave less",
    file=ROOM_FILE,
)
def test_jobs_leave_some_of_the_disk_free(
    host: Host, service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = len(LONG) // 2

    def still_left(room: Room) -> int:
        return max(0, left - sum(file.stat().st_size for file in room.folder.iterdir()))

    async def long_answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=LONG)

    service.on("/long", long_answer)
    monkeypatch.setattr(Room, "left", still_left)
    with host() as api:
        assert refused(api.post("/nlp/x", content=LONG))
        assert refused(api.post("/nlp/x", content=iter([LONG[:200_000], LONG[200_000:]]))), (
            "no length is said"
        )
        done = ended(api, submit(api, "/nlp/long"))
        assert (done["state"], done["problem"]["code"]) == ("failed", "insufficient_storage")
        assert list((tmp_path / "jobs" / "bodies").iterdir()) == []

        kept = ended(api, submit(api, "/nlp/short", b"[1]", **{"idempotency-key": "k"}))
        assert kept["state"] == "succeeded"
        left = 0
        assert refused(api.post("/nlp/short", content=b"[2]"))
        assert submit(api, "/nlp/short", b"[1]", **{"idempotency-key": "k"})["id"] == kept["id"]
        assert 'ai_semble_disk_room_bytes{service="orchestrator"} 0.0' in api.get("/metrics").text


def test_a_repeated_submission_gets_its_job_where_no_room_is_left(
    host: Host, service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = service.hold("/held")
    key = {"idempotency-key": "k"}
    with host() as api:
        job = submit(api, "/nlp/held", LONG, **key)
        wait_until(lambda: gate.entered == 1, "it runs")
        before = list((tmp_path / "jobs" / "bodies").iterdir())
        assert [file.stat().st_size for file in before] == [len(LONG)]

        monkeypatch.setattr(Room, "left", lambda _: 0)
        again = submit(api, "/nlp/held", LONG, **key)
        assert (again["id"], again["state"]) == (job["id"], "running")
        assert submit(api, "/nlp/held", iter([LONG[:9], LONG[9:]]), **key)["id"] == job["id"], (
            "no length is said"
        )
        for path, body in (("/nlp/held", LONG + b"x"), ("/nlp/held", b"[]"), ("/nlp/other", LONG)):
            answer = api.post(path, content=body, headers={"content-type": "application/json", **key})
            assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert list((tmp_path / "jobs" / "bodies").iterdir()) == before
        gate.open()
        assert ended(api, job)["state"] == "succeeded"
    assert len(service.calls_of("/held")) == 1


def test_a_repeated_submission_whose_job_expires_meanwhile_is_told_to_come_again(
    host: Host, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: object) -> None:
        return None

    key = {"idempotency-key": "k"}
    with host() as api:
        job = ended(api, submit(api, "/nlp/x", LONG, **key))
        with monkeypatch.context() as now:
            now.setattr(JobStore, "get", gone)
            answer = api.post("/nlp/x", content=LONG, headers={"prefer": "respond-async", **key})
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "1"
        assert submit(api, "/nlp/x", LONG, **key)["id"] == job["id"]
