"""A job belongs to the key that it was made with: to every other key it is one that does not exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx

from orchestrator.access.keys import Scope
from tests.support.attacks import attack
from tests.support.upstream import Exchange, answering
from tests.unit.access.conftest import Door, bearer, door, wait_until

NLP = "/ai/nlp/process"
LATER = {"Prefer": "respond-async"}
NOWHERE = "0" * 32
JOBS = "containers/orchestrator/src/orchestrator/jobs/service.py"
USUAL = frozenset({Scope.NLP, Scope.JOBS})


def submit(client: httpx.Client, body: bytes = b"{}", key: str = "") -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    answer = client.post(NLP, content=body, headers={**LATER, **headers})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def ids(client: httpx.Client, **query: str) -> list[str]:
    return [job["id"] for job in client.get("/jobs", params=query).json()["jobs"]]


def ended(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    seen: dict[str, Any] = client.get(f"/jobs/{job['id']}", params={"wait_s": 25}).json()
    assert seen["ended_at"], seen
    return seen


def all_that_is_told(client: httpx.Client, job_id: str) -> list[tuple[int, str]]:
    """What each question about a job is answered with, without what differs by chance."""
    asked = [
        ("GET", f"/jobs/{job_id}"),
        ("GET", f"/jobs/{job_id}?wait_s=1"),
        ("GET", f"/jobs/{job_id}/result"),
        ("GET", f"/jobs/{job_id}/events"),
        ("DELETE", f"/jobs/{job_id}"),
        ("DELETE", f"/jobs/{job_id}?forget=true"),
    ]
    answers = [client.request(method, path) for method, path in asked]
    return [
        (answer.status_code, re.sub("[0-9a-f]{32}|[0-9a-f-]{36}", "*", answer.text)) for answer in answers
    ]


@attack(
    threat="A key with the scope `jobs` reads, watches, cancels or deletes the jobs of another key",
    control="A job belongs to the key that it was made with; to others it does not exist",
    file=JOBS,
)
def test_a_job_of_another_key_is_answered_as_one_that_does_not_exist(closed: Door) -> None:
    closed.services["nlp"].answer = answering(200, "application/json", b'{"secret": 1}')
    with closed.client(closed.key("mine", scopes=USUAL)) as mine:
        running = submit(mine)
        done = ended(mine, running)
        with closed.client(closed.key("other", scopes=USUAL)) as other:
            nothing = all_that_is_told(other, NOWHERE)
            assert {status for status, _ in nothing} == {404}
            assert all_that_is_told(other, done["id"]) == nothing
            assert ids(other) == []
            assert ids(other, cursor="f" * 32, state="succeeded") == []
        assert ids(mine) == [done["id"]]
        assert mine.get(f"/jobs/{done['id']}/result").json() == {"secret": 1}


def test_a_job_that_waits_cannot_be_cancelled_by_another_key(closed: Door) -> None:
    async def never(exchange: Exchange) -> None:
        await exchange.gone()

    closed.services["nlp"].answer = never
    with (
        closed.client(closed.key("mine", scopes=USUAL)) as mine,
        closed.client(closed.key("other", scopes=USUAL)) as other,
    ):
        job = submit(mine)
        wait_until(lambda: bool(closed.services["nlp"].seen), "it runs")
        assert other.delete(f"/jobs/{job['id']}").status_code == 404
        assert mine.get(f"/jobs/{job['id']}").json()["state"] == "running"
        assert mine.delete(f"/jobs/{job['id']}").status_code in (200, 202)
        assert ended(mine, job)["state"] == "cancelled"


@attack(
    threat="An idempotency key that was guessed shows another key's job",
    control="Idempotency keys are each owner's own",
    file="containers/orchestrator/src/orchestrator/jobs/intake.py",
)
def test_an_idempotency_key_means_a_job_of_the_same_owner(closed: Door) -> None:
    with (
        closed.client(closed.key("mine", scopes=USUAL)) as mine,
        closed.client(closed.key("other", scopes=USUAL)) as other,
    ):
        first, second = submit(mine, key="order-1"), submit(mine, key="order-1")
        assert first["id"] == second["id"]
        others = submit(other, key="order-1")
        assert others["id"] != first["id"]
        reused = other.post(NLP, content=b'{"x": 1}', headers={**LATER, "Idempotency-Key": "order-1"})
        assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
        assert others["id"] in reused.text
        assert first["id"] not in reused.text


def test_a_key_for_all_jobs_sees_them_and_cancels(closed: Door) -> None:
    closed.services["nlp"].answer = answering(200, "application/json", b"{}")
    with (
        closed.client(closed.key("mine", scopes=USUAL)) as mine,
        closed.client(closed.key("all", scopes=USUAL | {Scope.ALL_JOBS})) as everything,
    ):
        job, own = submit(mine), submit(everything)
        ended(mine, job)
        assert set(ids(everything)) == {job["id"], own["id"]}
        assert ids(mine) == [job["id"]]
        seen = everything.get(f"/jobs/{job['id']}").json()
        assert seen["owner"] == mine.headers["authorization"].split("_")[1]
        assert everything.delete(f"/jobs/{job['id']}?forget=true").status_code == 204
        assert ids(mine) == []


def test_without_a_key_all_jobs_are_seen_and_a_key_sees_none_of_those_made_without(local: Door) -> None:
    with local.client() as nobody:
        free = submit(nobody)
        assert free["owner"] is None
        key = local.key("mine", scopes=USUAL)
        wait_until(lambda: nobody.get("/jobs", headers=bearer(key)).status_code == 200, "the key is known")
        with local.client(key) as mine:
            owned = submit(mine)
            assert ids(mine) == [owned["id"]]
            assert mine.get(f"/jobs/{free['id']}").status_code == 404
        assert set(ids(nobody)) == {free["id"], owned["id"]}


def test_another_secret_of_a_key_has_its_jobs_and_a_new_key_of_that_name_has_not(closed: Door) -> None:
    with closed.client(closed.key("mine", scopes=USUAL)) as first:
        job = submit(first)
    _, rotated = closed.store.rotate("mine", 0)
    with closed.client() as client:
        wait_until(lambda: client.get("/jobs", headers=bearer(rotated)).status_code == 200, "rotated")
        assert client.get(f"/jobs/{job['id']}", headers=bearer(rotated)).status_code == 200
        closed.store.revoke("mine")
        namesake = closed.key("mine", scopes=USUAL)
        wait_until(lambda: client.get("/jobs", headers=bearer(namesake)).status_code == 200, "made")
        assert client.get(f"/jobs/{job['id']}", headers=bearer(namesake)).status_code == 404


def test_a_job_has_its_owner_after_a_restart(tmp_path: Path) -> None:
    with door(tmp_path) as before:
        mine, other = before.key("mine", scopes=USUAL), before.key("other", scopes=USUAL)
        with before.client(mine) as client:
            job = submit(client)
    with door(tmp_path) as after:
        with after.client(mine) as client:
            assert ids(client) == [job["id"]]
        with after.client(other) as client:
            assert ids(client) == []
