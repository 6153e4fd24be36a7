"""Runs that are steps of other runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import orjson

from ai_semble.schemas.workflows import WorkflowCall, WorkflowDefinition
from orchestrator.jobs.bulletin import Bulletin
from orchestrator.jobs.intake import of_owner
from orchestrator.jobs.records import new_job_id
from orchestrator.jobs.service import LONGEST_WAIT_S
from orchestrator.workflows.errors import BadReference, RunNotFound, TooDeep
from orchestrator.workflows.inputs import complete
from orchestrator.workflows.intake import fingerprint
from orchestrator.workflows.library import Library
from orchestrator.workflows.performing import Attempt
from orchestrator.workflows.records import NewRun, RunRecord
from orchestrator.workflows.store import RunStore

DEEPEST = 5


class Children:
    """Implements `orchestrator.workflows.performing.Subruns`."""

    def __init__(
        self,
        store: RunStore,
        library: Library,
        bulletin: Bulletin,
        accept: Callable[[NewRun | RunRecord], Awaitable[str]],
        stop: Callable[[str], Awaitable[None]],
    ) -> None:
        self._store = store
        self._library = library
        self._bulletin = bulletin
        self._accept = accept
        self._stop = stop

    async def begin(self, attempt: Attempt, call: WorkflowCall) -> str:
        """A new run, or the one of the try before, from where it failed. Raises TooDeep, WorkflowNotFound, ..."""
        former = await self._store.get(attempt.former) if attempt.former and attempt.run.tries > 1 else None
        if former is not None and former.parent == attempt.run.id:
            return await self._accept(former)
        parent = attempt.run
        if parent.depth >= DEEPEST:
            raise TooDeep(f"{call.name} would be {parent.depth + 1} deep")
        if not isinstance(call.inputs, dict):
            raise BadReference("The inputs of the workflow are not an object")
        stored = await self._library.get(call.name, call.version)
        declared = WorkflowDefinition.model_validate_json(stored.definition).inputs
        new = NewRun(
            id=new_job_id(self._store.clock()),
            workflow=stored.name,
            version=stored.version,
            definition=stored.definition,
            owner=parent.owner,
            parent=parent.id,
            depth=parent.depth + 1,
            request_id=parent.request_id,
            idempotency_key=of_owner(parent.owner, attempt.key),
            fingerprint=fingerprint(stored.name, call.inputs),
            inputs=orjson.dumps(complete(call.inputs, declared)).decode(),
        )
        return await self._accept(new)

    async def find(self, attempt: Attempt) -> str | None:
        key = of_owner(attempt.run.owner, attempt.key)
        known = await self._store.of_key(key) if key else None
        if known is None and attempt.former:
            former = await self._store.get(attempt.former)
            known = former if former and not former.state.ended else None
        return known.id if known is not None and known.parent == attempt.run.id else None

    async def ended(self, run_id: str) -> RunRecord:
        """The run after its end; waits for ever when this process is stopping."""
        with self._bulletin.watching(run_id) as watch:
            while True:
                run = await self._store.get(run_id)
                if run is None:
                    raise RunNotFound(f"There is no run {run_id}")
                if run.state.ended:
                    return run
                await watch.wait(LONGEST_WAIT_S)
                if self._bulletin.closed:
                    await asyncio.Event().wait()

    async def stop(self, run_id: str) -> None:
        await self._stop(run_id)
