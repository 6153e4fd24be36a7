"""What two who ask at once do to a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_semble.schemas.runs import RunState, StepState
from orchestrator.jobs.askers import ANYBODY
from orchestrator.jobs.database import Database
from orchestrator.sqlfiles import migrate_to
from orchestrator.workflows.records import ItemRecord, NewRun, RunRecord, StepRecord
from orchestrator.workflows.store import PACKAGE, RunStore

RUN = "1" * 32


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    database = Database(tmp_path / "x.sqlite", lambda connection: migrate_to(connection, PACKAGE), "test")
    database.open()
    yield RunStore(database)
    database.close()


async def failed(store: RunStore) -> RunRecord:
    await store.begin(RUN)
    run = await store.end(RUN, RunState.FAILED, "It failed.")
    assert run is not None
    return run


async def test_a_retry_that_another_has_overtaken_undoes_nothing(store: RunStore) -> None:
    """It would begin a step again that succeeded meanwhile."""
    await store.accept(NewRun(RUN, "test", 1, "{}", None, None, 0, "r", None, "f", "{}"), 100)
    before = await failed(store)
    assert await store.reopen(before, {})
    done = StepRecord("a", StepState.SUCCEEDED, [ItemRecord(0, StepState.SUCCEEDED, 1)], None, 1.0)
    await store.put_step(RUN, done, 1.0, "Done.")
    after = await failed(store)
    assert await store.reopen(before, {"a": None}) is None
    assert (await store.steps(RUN))["a"].state is StepState.SUCCEEDED
    assert await store.reopen(after, {})
    assert await store.cancel(RUN, ANYBODY)
