"""Looks after the jobs that nobody has in hand: finds lost ones, forgets old ones, removes what is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ai_semble.logs import get_logger
from orchestrator.jobs.askers import ANYBODY, Asker
from orchestrator.jobs.bodies import Bodies
from orchestrator.jobs.engine import REST_AFTER_S, Engine, dispatch_name
from orchestrator.jobs.records import JobRecord, Unended
from orchestrator.jobs.runner import Runner
from orchestrator.jobs.store import JobStore

log = get_logger(__name__)
DAY_S = 86_400
PURGE_AFTER_S = 600
_BATCH = 200


class Keeper:
    """`look_after` is called at the start and every minute."""

    def __init__(
        self,
        store: JobStore,
        bodies: Bodies,
        engine: Engine,
        runner: Runner,
        *,
        retention_days: float,
        forgotten: Callable[[JobRecord], None],
    ) -> None:
        self._store = store
        self._bodies = bodies
        self._engine = engine
        self._runner = runner
        self._retention_s = retention_days * DAY_S
        self._forgotten = forgotten

    async def clean_up(self) -> None:
        """Remove files of jobs that were never accepted, or were forgotten halfway; before any new job."""
        await asyncio.to_thread(self._bodies.discard_unfinished)
        owners = await asyncio.to_thread(self._bodies.owners)
        for stray in owners - await self._store.known(sorted(owners)):
            await asyncio.to_thread(self._bodies.discard, stray)

    async def look_after(self) -> None:
        await self.forget_old()
        some_left = await self.find_lost()
        if not self._engine.loaded:
            return
        await self._engine.purge(PURGE_AFTER_S)
        if not some_left and self._engine.idle_s > REST_AFTER_S:
            await self._engine.rest()

    async def find_lost(self) -> bool:
        """Dispatch the jobs that the engine does not know, or believes to have ended; False without any job.

        There are such when this process dies between accepting a job and telling the engine, when a power cut
        takes the engine's last commits, and after a defect.
        """
        unended = await self._store.unended()
        if not unended:
            return False
        names = [dispatch_name(job.id, job.dispatch) for job in unended]
        states = await self._engine.states(names)
        for job, name in zip(unended, names, strict=True):
            if not states.get(name, False) and not self._runner.has(job.id, job.dispatch):
                await self._dispatch_again(job, known=name in states)
        return True

    async def forget_old(self) -> None:
        """Delete the jobs that ended longer ago than they are kept."""
        while True:
            before = self._store.clock() - self._retention_s
            ids = await self._store.ended_before(before, _BATCH)
            for job_id in ids:
                await self.forget(job_id, ANYBODY)
            if len(ids) < _BATCH:
                return

    async def forget(self, job_id: str, asker: Asker) -> JobRecord | None:
        """Delete a job that has ended, and everything of it; None when it has not, or is not there for the asker."""
        job = await self._store.forget(job_id, asker)
        if job is None:
            return None
        await asyncio.to_thread(self._bodies.discard, job_id)
        self._forgotten(job)
        return job

    async def _dispatch_again(self, job: Unended, *, known: bool) -> None:
        dispatch = job.dispatch
        if known:
            moved = await self._store.redispatch(job.id, job.dispatch)
            if moved is None:
                return
            dispatch = moved.dispatch
        log.info("job_dispatched_again", job=job.id, dispatch=dispatch)
        delay = max(0.0, (job.next_attempt_at or 0) - self._store.clock())
        await self._engine.enqueue(job.id, dispatch, job.service, delay)
