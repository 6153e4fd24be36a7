"""A job holds tokens from its acceptance to its end, and pays for what it used, as a call that is waited for does."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.jobs.store import JobStore
from tests.support.attacks import attack
from tests.support.serving import free_port
from tests.support.upstream import Exchange, answering
from tests.unit.access.conftest import Door, bearer, door, wait_until

COMPLETION = "/ai/llm/completion"
LATER = {"Prefer": "respond-async"}
# Each of these may use 300 tokens or so (their bytes, what a template adds, and `max_tokens`).
ASK = {"prompt": "hi", "max_tokens": 10}
THREE_FIT = 1000
BUDGETS = "containers/orchestrator/src/orchestrator/access/budgets.py"


def usage(total: int) -> bytes:
    return json.dumps({"id": "x", "usage": {"total_tokens": total}, "text": "y"}).encode()


def submit(client: httpx.Client, **headers: str) -> httpx.Response:
    return client.post(COMPLETION, json=ASK, headers={**LATER, **headers})


def ended(client: httpx.Client, answer: httpx.Response) -> str:
    """The state in which the job ended."""
    assert answer.status_code == 202, answer.text
    job = client.get(answer.headers["location"], params={"wait_s": 25}).json()
    assert job["ended_at"], job
    state: str = job["state"]
    return state


async def silent(exchange: Exchange) -> None:
    await exchange.read_body()
    await exchange.gone()


def test_a_job_pays_for_what_it_used(closed: Door) -> None:
    closed.services["llm"].answer = answering(200, "application/json", usage(50))
    with closed.client(closed.key(tokens_per_minute=THREE_FIT)) as client:
        assert [ended(client, submit(client)) for _ in range(10)] == ["succeeded"] * 10
        closed.services["llm"].answer = answering(200, "application/json", usage(THREE_FIT))
        assert ended(client, submit(client)) == "succeeded"
        assert client.post(COMPLETION, json=ASK).status_code == 429, (
            "more was used than was held, and it counts"
        )


def test_a_job_holds_its_tokens_until_it_ends(closed: Door) -> None:
    closed.services["llm"].answer = silent
    with closed.client(closed.key(tokens_per_minute=THREE_FIT)) as client:
        jobs = [submit(client) for _ in range(4)]
        assert [job.status_code for job in jobs] == [202, 202, 202, 429]
        assert jobs[3].json()["code"] == "rate_limit_exceeded"
        assert client.post(COMPLETION, json=ASK).status_code == 429


def test_a_job_that_was_cancelled_before_it_began_costs_nothing(tmp_path: Path) -> None:
    with door(tmp_path, jobs={"workers": 1}) as made:
        made.services["llm"].answer = silent
        with made.client(made.key(tokens_per_minute=THREE_FIT)) as client:
            first, *waiting = [submit(client) for _ in range(3)]
            wait_until(lambda: len(made.services["llm"].seen) == 1, "one runs")
            assert submit(client).status_code == 429
            for job in waiting:
                assert client.delete(job.headers["location"]).json()["state"] == "cancelled"
            assert [submit(client).status_code for _ in range(2)] == [202, 202]
            client.delete(first.headers["location"])
            assert ended(client, first) == "cancelled"
            assert submit(client).status_code == 429, (
                "what was cut in the middle costs all that it might have used"
            )


def test_a_refused_job_costs_nothing_and_one_that_tells_nothing_its_bound(closed: Door) -> None:
    with closed.client(closed.key(tokens_per_minute=THREE_FIT)) as client:
        closed.services["llm"].answer = answering(404, "application/json", b'{"code": "model_not_found"}')
        assert [ended(client, submit(client)) for _ in range(10)] == ["failed"] * 10
        closed.services["llm"].answer = answering(200, "application/json", b"{}")
        assert [ended(client, submit(client)) for _ in range(3)] == ["succeeded"] * 3
        assert submit(client).status_code == 429


def test_the_same_job_again_holds_nothing_more(closed: Door) -> None:
    closed.services["llm"].answer = silent
    with closed.client(closed.key(tokens_per_minute=THREE_FIT)) as client:
        answers = [submit(client, **{"Idempotency-Key": "same"}) for _ in range(10)]
        assert {answer.json()["id"] for answer in answers} == {answers[0].json()["id"]}


def test_a_repeated_submission_costs_nothing_where_nothing_is_left(closed: Door) -> None:
    closed.services["llm"].answer = silent
    with closed.client(closed.key(tokens_per_minute=THREE_FIT)) as client:
        first = [submit(client, **{"Idempotency-Key": name}) for name in "abc"]
        assert submit(client).status_code == 429
        again = [submit(client, **{"Idempotency-Key": name}) for name in "abc"]
        assert [answer.json()["id"] for answer in again] == [answer.json()["id"] for answer in first]
        other = {"prompt": "hello", "max_tokens": 10}
        reused = client.post(COMPLETION, json=other, headers={**LATER, "Idempotency-Key": "a"})
        assert reused.json()["code"] == "idempotency_key_reused"
    assert closed.refusals("rate_limit_exceeded") == 1


def test_twenty_repetitions_at_once_are_one_job_that_holds_its_tokens_once(closed: Door) -> None:
    closed.services["llm"].answer = silent
    key = closed.key(tokens_per_minute=THREE_FIT)
    headers = {**bearer(key), **LATER, "Idempotency-Key": "same"}

    async def at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=closed.url, headers=headers, timeout=30) as client:
            return await asyncio.gather(*(client.post(COMPLETION, json=ASK) for _ in range(20)))

    answers = asyncio.run(at_once())
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    with closed.client(key) as client:
        assert [submit(client).status_code for _ in range(3)] == [202, 202, 429], "one of three was held"


@attack(
    threat="Two hundred clients submit jobs at once, to use more tokens than their key has",
    control="A job's tokens are held when it is submitted, in one step, until it has ended",
    file=BUDGETS,
)
def test_no_more_jobs_at_once_than_the_tokens_are_enough_for(tmp_path: Path) -> None:
    with door(tmp_path, jobs={"workers": 50}) as made:
        made.services["llm"].answer = silent
        key = made.key(tokens_per_minute=10 * THREE_FIT)

        async def call() -> list[httpx.Response]:
            limits = httpx.Limits(max_connections=200)
            async with httpx.AsyncClient(
                base_url=made.url, headers=bearer(key), timeout=60, limits=limits
            ) as client:
                asked = (client.post(COMPLETION, json=ASK, headers=LATER) for _ in range(200))
                return await asyncio.gather(*asked)

        statuses = Counter(answer.status_code for answer in asyncio.run(call()))
    assert set(statuses) == {202, 429}
    assert 30 <= statuses[202] <= 40, statuses


@attack(
    threat="A client submits a job and hangs up at once, so that nothing is held for it",
    control="The job holds its tokens itself, before it is written",
    file="containers/orchestrator/src/orchestrator/jobs/intake.py",
)
def test_a_client_that_hangs_up_gives_no_tokens_of_its_job_back(
    closed: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept, go_on = JobStore.accept, False

    async def slowly(*args: Any) -> Any:
        while not go_on:  # noqa: ASYNC110 - it is set from another thread
            await asyncio.sleep(0.01)
        return await accept(*args)

    closed.services["llm"].answer = silent
    monkeypatch.setattr(JobStore, "accept", slowly)
    key = closed.key(tokens_per_minute=THREE_FIT)
    with closed.client(key) as client:
        for _ in range(3):
            with pytest.raises(httpx.ReadTimeout):
                client.post(COMPLETION, json=ASK, headers=LATER, timeout=0.5)
        assert client.post(COMPLETION, json=ASK).status_code == 429
        go_on = True
        wait_until(lambda: len(client.get("/jobs").json()["jobs"]) == 3, "they became jobs")
        assert client.post(COMPLETION, json=ASK).status_code == 429


def remembered(stopped: Door) -> list[int]:
    """What a stop writes down of the one key's tokens."""
    document = json.loads((stopped.runtime.paths.state_dir / "budgets.json").read_text("utf-8"))
    (account,) = document["accounts"].values()
    return [amount for _, amount in account["tokens"]]


def test_a_job_that_waits_holds_its_tokens_after_a_restart_too(tmp_path: Path) -> None:
    llm = {"port": free_port()}  # nobody is there, so the job waits
    with door(tmp_path, llm=llm) as first, first.client(first.key(tokens_per_minute=THREE_FIT)) as client:
        assert submit(client).status_code == 202
    (held,) = remembered(first)
    assert 250 < held < THREE_FIT / 3
    with door(tmp_path, llm=llm) as second:
        pass
    # As used when the first stopped, since that is not known; and once more, since it still may be.
    assert remembered(second) == [held, held]


@attack(
    threat="The keys' file is damaged, so that jobs which were accepted with a limited key run on uncounted",
    control="A job's tokens are held by its key's id, whether or not the key can be read",
    file=BUDGETS,
)
def test_a_job_s_tokens_count_while_the_keys_cannot_be_read(tmp_path: Path) -> None:
    llm = {"port": free_port()}
    with door(tmp_path, llm=llm) as first:
        key = first.key(tokens_per_minute=THREE_FIT)
        with first.client(key) as client:
            job = submit(client).json()["id"]
    (held,) = remembered(first)
    first.file.write_bytes(b"this is no database")
    with door(tmp_path) as second:
        second.services["llm"].answer = answering(200, "application/json", usage(50))
        wait_until(lambda: state_of(second, job) == "succeeded", "the job that was accepted is not lost")
        with second.client(key) as client:
            assert submit(client).json()["code"] == "keys_unavailable"
    assert sum(remembered(second)) == held + 50


def state_of(at: Door, job_id: str) -> str:
    """As it stands in the database, which needs no key."""
    with closing(sqlite3.connect(at.runtime.paths.state_dir / "jobs" / "jobs.sqlite")) as jobs:
        (state,) = jobs.execute("SELECT state FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return str(state)
