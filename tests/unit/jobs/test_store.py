"""The database of the jobs: moves, fences, one end, and what is committed together."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from ai_semble.errors import InsufficientStorage, Overloaded
from ai_semble.schemas.jobs import JobQuery, JobReason, JobState
from orchestrator.jobs.askers import ANYBODY
from orchestrator.jobs.database import Database
from orchestrator.jobs.moves import Ending, Postponement
from orchestrator.jobs.queries import migrate, queries
from orchestrator.jobs.records import Change, JobRecord, NewJob, StoredBody, new_job_id
from orchestrator.jobs.store import JobStore

BODY = StoredBody(2, "digest", b"{}")
DONE = Ending(JobState.SUCCEEDED, JobReason.ANSWERED, result=BODY, result_type="application/json")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(tmp_path / "jobs.sqlite")
    made.open()
    yield made
    made.close()


@pytest.fixture
def store(database: Database) -> JobStore:
    return JobStore(database)


async def accept(store: JobStore, key: str | None = None) -> JobRecord:
    new = NewJob(new_job_id(store.clock()), "nlp", "POST", "/x", {"a": "b"}, "r", key, "f")
    outcome = await store.accept(new, BODY, 100)
    return outcome.job if isinstance(outcome, Change) else outcome


async def test_a_job_goes_through_its_states_and_each_is_an_event(store: JobStore) -> None:
    job = await accept(store)
    await store.begin(job.id, 1, 3)
    change = await store.end(job.id, 1, DONE)
    assert change is not None
    assert (change.before, change.job.state) == (JobState.RUNNING, JobState.SUCCEEDED)
    events = await store.events(job.id, 0)
    assert [event.state for event in events] == ["queued", "running", "succeeded"]
    assert await store.body(job.id, "result") == b"{}"
    assert await store.body(job.id, "request") is None


async def test_a_job_that_has_ended_does_not_move(store: JobStore) -> None:
    job = await accept(store)
    await store.begin(job.id, 1, 3)
    await store.end(job.id, 1, DONE)
    why = Postponement(JobReason.SERVICE_BUSY, "", 0, broke=False)
    assert await store.begin(job.id, 1, 3) is None
    assert await store.end(job.id, 1, DONE) is None
    assert await store.postpone(job.id, 1, why) is None
    assert await store.release(job.id, 1) is None
    assert await store.cancel(job.id, ANYBODY) is None
    assert await store.redispatch(job.id, 1) is None
    assert len(await store.events(job.id, 0)) == 3


async def test_an_old_dispatch_changes_nothing(store: JobStore) -> None:
    job = await accept(store)
    await store.begin(job.id, 1, 3)
    await store.postpone(job.id, 1, Postponement(JobReason.SERVICE_BUSY, "", 5, broke=False))
    assert await store.begin(job.id, 1, 3) is None
    assert await store.begin(job.id, 2, 3) is not None
    assert await store.end(job.id, 1, DONE) is None
    assert await store.release(job.id, 1) is None
    assert not await store.report(job.id, 1, 0.5, "half")
    assert await store.report(job.id, 2, 0.5, "half")
    assert await store.end(job.id, 2, DONE) is not None


async def test_the_database_itself_refuses_a_second_end(store: JobStore, database: Database) -> None:
    job = await accept(store)
    await store.begin(job.id, 1, 3)
    await store.end(job.id, 1, DONE)
    second = {
        "job_id": job.id, "at": 0, "state": "failed", "reason": "refused", "detail": "", "attempt": 1,
    }  # fmt: skip
    with pytest.raises(sqlite3.IntegrityError):
        await database.write(lambda connection: connection.execute(queries()["insert_event"], second))


async def test_a_cancellation_wins_over_a_result_that_comes_with_it(store: JobStore) -> None:
    job = await accept(store)
    await store.begin(job.id, 1, 3)
    await store.cancel(job.id, ANYBODY)
    change = await store.end(job.id, 1, DONE)
    assert change is not None
    assert change.job.state is JobState.CANCELLED
    assert change.job.result_bytes is None
    assert await store.body(job.id, "result") is None


async def test_a_crash_while_it_runs_is_counted_and_ends_it_in_time(store: JobStore) -> None:
    job = await accept(store)
    states = [await store.begin(job.id, 1, 3) for _ in range(5)]
    seen = [(change.job.state, change.job.attempts) if change else None for change in states]
    assert seen == [("running", 1), ("running", 2), ("running", 3), ("failed", 3), None]


async def test_no_more_are_accepted_than_may_wait(store: JobStore) -> None:
    new = [NewJob(new_job_id(1), "nlp", "POST", "/x", {}, "r", None, "f") for _ in range(5)]
    outcomes = await asyncio.gather(*(store.accept(each, BODY, 3) for each in new), return_exceptions=True)
    assert [isinstance(outcome, Change) for outcome in outcomes] == [True] * 3 + [False] * 2
    assert all(isinstance(outcome, Overloaded) for outcome in outcomes[3:])
    assert len(await store.page(JobQuery(), ANYBODY)) == 3


async def test_one_that_fails_does_not_spoil_the_commit_for_the_others(database: Database) -> None:
    await database.write(lambda connection: connection.execute("CREATE TABLE t (x INTEGER UNIQUE)"))

    def insert(value: int) -> Coroutine[Any, Any, sqlite3.Cursor]:
        return database.write(lambda connection: connection.execute("INSERT INTO t VALUES (?)", (value,)))

    outcomes = await asyncio.gather(*map(insert, [1, 2, 2, 3]), return_exceptions=True)
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "Cursor",
        "Cursor",
        "IntegrityError",
        "Cursor",
    ]
    rows = await database.read(lambda connection: connection.execute("SELECT x FROM t ORDER BY x").fetchall())
    assert [row["x"] for row in rows] == [1, 2, 3]


async def test_a_write_that_is_not_waited_for_is_written(store: JobStore) -> None:
    task = asyncio.create_task(accept(store))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Either it was withdrawn before the writer took it, or it is there as a whole.
    jobs = await store.page(JobQuery(), ANYBODY)
    assert [len(await store.events(job.id, 0)) for job in jobs] in ([], [1])


async def test_a_full_disk_is_told_as_such_and_keeps_nothing(store: JobStore, database: Database) -> None:
    await accept(store)
    used = await database.write(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await database.write(lambda c: c.execute(f"PRAGMA max_page_count = {used}").fetchone())
    new = NewJob(new_job_id(store.clock()), "nlp", "POST", "/x", {}, "r", None, "f")
    with pytest.raises(InsufficientStorage):
        await store.accept(new, StoredBody(90_000, "d", b"x" * 90_000), 100)
    assert await store.get(new.id) is None
    await database.write(lambda c: c.execute(f"PRAGMA max_page_count = {used + 100}").fetchone())
    assert isinstance(await store.accept(new, StoredBody(90_000, "d", b"x" * 90_000), 100), Change)


def test_migrations_are_applied_once(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)
    migrate(connection)
    version = connection.execute("PRAGMA user_version").fetchone()
    migrate(connection)
    assert connection.execute("PRAGMA user_version").fetchone() == version
    assert version[0] >= 1
    connection.close()


def test_ids_sort_by_time() -> None:
    assert new_job_id(1000.0) < new_job_id(1000.001) < new_job_id(2_000_000_000)
    assert len(new_job_id(0)) == 32


def test_jobs_of_the_release_before_keep_all_and_belong_to_nobody(tmp_path: Path) -> None:
    """What 0001 made: after a start of this release, and then of that one again (`update --rollback`)."""
    first = files("orchestrator.jobs").joinpath("migrations", "0001_jobs.sql").read_text("utf-8")
    connection = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.executescript(f"{first}\nPRAGMA user_version = 1;")
    insert = """INSERT INTO jobs (id, state, reason, service, method, path, headers, request_id, idempotency_key,
        fingerprint, created_at) VALUES (?, 'queued', 'in_line', 'nlp', 'POST', '/x', '{}', 'r', ?, 'f', 0)"""
    connection.execute(insert, ("a" * 32, "key"))
    migrate(connection)
    job = JobRecord.of(connection.execute(queries()["job"], {"id": "a" * 32}).fetchone())
    assert (job.state, job.owner) == (JobState.QUEUED, None)
    connection.execute(insert, ("b" * 32, "another"))
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(insert, ("c" * 32, "key"))
    connection.close()
