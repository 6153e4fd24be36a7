"""The same key with the same request is the same job."""

from __future__ import annotations

import threading

import httpx

from tests.support.fake_service import FakeService, wait_until
from tests.unit.jobs.conftest import Host, ended, submit


def test_the_same_key_and_request_give_the_same_job_and_one_call(
    api: httpx.Client, shared_service: FakeService
) -> None:
    first, second = (submit(api, "/nlp/once", b"[1]", **{"idempotency-key": "a"}) for _ in range(2))
    assert first["id"] == second["id"]
    assert ended(api, first)["state"] == "succeeded"
    again = submit(api, "/nlp/once", b"[1]", **{"idempotency-key": "a"})
    assert (again["id"], again["state"]) == (first["id"], "succeeded")
    assert len(shared_service.calls_of("/once")) == 1


def test_the_same_key_with_another_request_is_refused(api: httpx.Client) -> None:
    job = submit(api, "/nlp/two", b"[1]", **{"idempotency-key": "b"})
    for path, body in (("/nlp/two", b"[2]"), ("/llm/two", b"[1]"), ("/nlp/three", b"[1]")):
        answer = api.post(
            path, content=body, headers={"idempotency-key": "b", "content-type": "application/json"}
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    ended(api, job)


def test_a_key_that_cannot_be_used_is_refused(api: httpx.Client) -> None:
    for key in ("", "x" * 256, "two words"):
        answer = api.post("/nlp/key", content=b"{}", headers={"idempotency-key": key})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_idempotency_key"), key


def test_many_at_once_with_one_key_are_one_job(api: httpx.Client, shared_service: FakeService) -> None:
    seen: list[str] = []

    def send() -> None:
        body = b"x" * 100_000
        seen.append(submit(api, "/nlp/race", body, **{"idempotency-key": "race"})["id"])

    threads = [threading.Thread(target=send) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1
    assert len(seen) == 10
    assert ended(api, {"id": seen[0]})["result"]["length"] == 100_000
    assert len(shared_service.calls_of("/race")) == 1


def test_a_job_is_given_again_while_too_many_wait(service: FakeService, host: Host) -> None:
    gate = service.hold("/held")
    with host(workers=1, max_queued=1) as api:
        submit(api, "/nlp/held", b"[1]")
        wait_until(lambda: gate.entered == 1, "it runs")
        waiting = submit(api, "/nlp/held", b"[2]", **{"idempotency-key": "k"})
        assert api.post("/nlp/held", content=b"[3]").status_code == 503
        assert submit(api, "/nlp/held", b"[2]", **{"idempotency-key": "k"})["id"] == waiting["id"]
        gate.open()
