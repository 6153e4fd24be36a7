"""The events of a job, as they happen and afterwards."""

from __future__ import annotations

import httpx

from tests.support.fake_service import FakeService, failing
from tests.unit.jobs.conftest import ended, frames, submit, watch


def test_events_tell_every_state_and_end_with_the_job(api: httpx.Client, shared_service: FakeService) -> None:
    shared_service.on("/twice", failing(1, 429, "too_many_requests"))
    events = watch(api, submit(api, "/llm/twice"))
    states = [frame["data"]["state"] for frame in events]
    assert states == ["queued", "running", "waiting", "running", "succeeded"]
    assert [frame["id"] for frame in events] == ["1", "2", "3", "4", "5"]
    assert [frame["event"] for frame in events] == ["state"] * 4 + ["end"]
    assert events[2]["data"]["reason_code"] == "service_busy"
    assert [frame["data"]["attempt"] for frame in events] == [0, 1, 1, 2, 2]


def test_a_client_that_was_cut_off_misses_nothing(api: httpx.Client) -> None:
    job = submit(api, "/nlp/events")
    ended(api, job)
    assert [frame["id"] for frame in watch(api, job)] == ["1", "2", "3"]
    assert [frame["id"] for frame in watch(api, job, **{"last-event-id": "1"})] == ["2", "3"]
    assert [frame["id"] for frame in watch(api, job, **{"last-event-id": "9" * 5000})] == ["1", "2", "3"]
    done = api.get(f"/jobs/{job['id']}/events", headers={"last-event-id": "3"})
    assert (done.status_code, done.content) == (204, b"")


def test_events_come_as_they_happen(api: httpx.Client, shared_service: FakeService) -> None:
    gate = shared_service.hold("/live")
    job = submit(api, "/nlp/live")
    with api.stream("GET", f"/jobs/{job['id']}/events") as answer:
        stream = frames(answer)
        assert [next(stream)["data"]["state"] for _ in range(2)] == ["queued", "running"]
        gate.open()
        assert next(stream)["data"]["state"] == "succeeded"
