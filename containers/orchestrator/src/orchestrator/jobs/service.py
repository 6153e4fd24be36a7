"""The jobs of this orchestrator: what the routes and the gateway talk to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import orjson

from ai_semble.logs import get_logger
from ai_semble.room import Room
from ai_semble.schemas.jobs import Job, JobEvent, JobPage, JobQuery, JobState, Progress
from ai_semble.service import Runtime
from orchestrator.jobs import views
from orchestrator.jobs.askers import ANYBODY, Asker
from orchestrator.jobs.bills import Bills, Deposit, Hold
from orchestrator.jobs.bodies import Bodies
from orchestrator.jobs.bulletin import Bulletin
from orchestrator.jobs.calls import Call, Caller
from orchestrator.jobs.database import Database
from orchestrator.jobs.engine import Engine
from orchestrator.jobs.errors import JobHasEnded, JobHasNoResult, JobHasNotEnded, JobNotFound
from orchestrator.jobs.intake import Intake
from orchestrator.jobs.keeper import Keeper
from orchestrator.jobs.lock import FolderLock
from orchestrator.jobs.records import REQUEST, RESULT, Change, JobRecord
from orchestrator.jobs.runner import Runner
from orchestrator.jobs.store import JobStore
from orchestrator.jobs.tally import Tally
from orchestrator.jobs.verdicts import Patience

log = get_logger(__name__)
HEARTBEAT_S = 15.0
KEEP_EVERY_S = 60.0
# A watcher that nobody rings looks by itself this often.
LONGEST_WAIT_S = 600.0
# Holds so many tokens of this owner's once more.
HoldAgain = Callable[[str, int], Deposit]


@dataclass(frozen=True)
class Result:
    """The answer of a job that succeeded, as the service gave it."""

    content_type: str
    size: int
    pieces: AsyncIterator[bytes]


class JobService:
    """Durable asynchronous calls. `app.state.jobs` is one; open it in the lifespan with `async with`.

    A job that the asker does not see is one that is not there. Nothing runs before `start`.
    """

    def __init__(self, runtime: Runtime, caller: Caller) -> None:
        self._config = runtime.config.jobs
        self._metrics = runtime.metrics
        self._folder = runtime.paths.state_dir / "jobs"
        self._caller = caller
        self._lock = FolderLock(self._folder)
        self._database = Database(self._folder / "jobs.sqlite")
        self._store = JobStore(self._database)
        self._bodies = Bodies(Room(self._folder / "bodies", runtime.config.resources.keep_free_disk))
        self._bulletin = Bulletin()
        self._tally = Tally(runtime.metrics)
        self._bills = Bills()
        self._intake = Intake(
            self._store,
            self._bodies,
            self._tally,
            max_queued=self._config.max_queued,
            # A file and the request around it, as `/data/process` takes them.
            max_body_bytes=runtime.config.data.max_upload_bytes + runtime.config.server.max_body_bytes,
            accepted=self._accepted,
        )
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Raises StateFolderTaken, sqlite3.Error, OSError."""
        await self._lock.take()
        await asyncio.to_thread(self._database.open)
        await asyncio.to_thread(self._bodies.open)
        self._bodies.room.report(self._metrics)
        self._tally.load(await self._store.counts())
        self._runner = self._make_runner()
        self._engine = Engine(self._folder / "engine.sqlite", self._config.workers, self._runner.run)
        self._keeper = Keeper(
            self._store,
            self._bodies,
            self._engine,
            self._runner,
            retention_days=self._config.retention_days,
            forgotten=self._tally.forget,
        )
        await self._keeper.clean_up()
        return self

    async def start(self, hold_again: HoldAgain | None = None) -> None:
        """Go on with the jobs that there are, after their tokens are held as before."""
        for job in await self._store.unended():
            if hold_again and job.owner is not None and job.tokens_held is not None:
                self._bills.open(job.id, hold_again(job.owner, job.tokens_held))
        self._spawn(self._keep())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bulletin.close()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._engine.stop()
        await asyncio.to_thread(self._database.close)
        self._lock.release()

    async def submit(
        self, call: Call, body: AsyncIterator[bytes], asker: Asker, hold: Hold | None = None
    ) -> Job:
        """Accept a call: when this returns, the job survives whatever happens, and has its tokens held to its end.

        The same idempotency key with the same request of the same owner gives the same job. Raises Overloaded,
        BodyTooLarge, InsufficientStorage, BadIdempotencyKey, IdempotencyKeyReused, and what `body` and `hold` raise.
        """
        return await self._view(await self._intake.submit(call, body, asker, hold))

    async def get(self, job_id: str, asker: Asker, wait_s: float = 0) -> Job:
        """A job; after its end, or after so many seconds. Raises JobNotFound."""
        with self._bulletin.watching(job_id) as watch:
            deadline = asyncio.get_running_loop().time() + wait_s
            job = await self._record(job_id, asker)
            while not job.state.ended and not self._bulletin.closed:
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0 or not await watch.wait(left):
                    break
                job = await self._record(job_id, asker)
        return await self._view(job)

    async def find(self, idempotency_key: str, owner: str | None) -> Job | None:
        """The job that this owner's key belongs to."""
        job = await self._intake.of_key(idempotency_key, owner)
        return None if job is None else views.job_view(job)

    async def ended(self, job_id: str) -> Job:
        """A job after its end, without its result; waits for ever when this service is closing. Raises JobNotFound."""
        with self._bulletin.watching(job_id) as watch:
            while not (job := await self._record(job_id, ANYBODY)).state.ended:
                await watch.wait(LONGEST_WAIT_S)
                if self._bulletin.closed:
                    await asyncio.Event().wait()
        return views.job_view(job)

    async def list(self, query: JobQuery, asker: Asker) -> JobPage:
        """A page of jobs, newest first, without their results."""
        found = await self._store.page(query, asker)
        page = found[: query.limit]
        cursor = page[-1].id if len(found) > query.limit else None
        return JobPage(jobs=tuple(views.job_view(job) for job in page), next_cursor=cursor)

    async def result(self, job_id: str, asker: Asker) -> Result:
        """What the service answered; it can be read to its end even when the job is forgotten meanwhile.

        Raises JobNotFound, JobHasNotEnded, and JobHasNoResult when it failed or was cancelled.
        """
        job = await self._record(job_id, asker)
        if not job.state.ended:
            raise JobHasNotEnded(f"The job is {job.state}", retry_after=1)
        if job.state is not JobState.SUCCEEDED:
            raise JobHasNoResult(f"The job is {job.state}: {views.in_words(job.reason, job.detail)}")
        pieces = await self._result_pieces(job_id)
        return Result(job.result_type or "application/octet-stream", job.result_bytes or 0, pieces)

    async def cancel(self, job_id: str, asker: Asker) -> Job:
        """Cancel a job: one that waits never starts, and the call of one that runs is cut.

        A job that is cancelled already is given back as it is. Raises JobNotFound, JobHasEnded.
        """
        change = await self._store.cancel(job_id, asker)
        if change is None:
            job = await self._record(job_id, asker)
            if job.state in (JobState.SUCCEEDED, JobState.FAILED):
                raise JobHasEnded(f"The job is {job.state} already")
            return await self._view(job)
        self._announce(change)
        if change.job.state is JobState.CANCELLING:
            self._runner.abort(change.job)
        return await self._view(change.job)

    async def forget(self, job_id: str, asker: Asker) -> None:
        """Delete a job that has ended, with its result. Raises JobNotFound, JobHasNotEnded."""
        if await self._keeper.forget(job_id, asker) is None:
            job = await self._record(job_id, asker)
            raise JobHasNotEnded(f"The job is {job.state}")

    async def events(self, job_id: str, asker: Asker, after: int = 0) -> AsyncIterator[JobEvent | None]:
        """Every event of a job after the given number, then those to come, until it has ended.

        None when nothing happened for a while. Raises JobNotFound.
        """
        shown: Progress | None = None
        with self._bulletin.watching(job_id) as watch:
            while not self._bulletin.closed:
                job = await self._record(job_id, asker)
                for event in await self._store.events(job_id, after):
                    after = event.number
                    yield views.event_view(event)
                    if event.state.ended:
                        return
                if job.state.ended:
                    return
                progress = views.progress_of(job)
                if progress != shown and job.message:
                    shown = progress
                    yield views.progress_event(job, self._store.clock())
                if not await watch.wait(HEARTBEAT_S):
                    yield None

    def release_watchers(self) -> None:
        """End every event stream and every wait: the server is stopping, and they would hold it up."""
        self._bulletin.close()

    def _accepted(self, change: Change, deposit: Deposit | None) -> None:
        self._bills.open(change.job.id, deposit)
        self._announce(change)
        self._spawn(self._dispatch(change.job))

    async def _dispatch(self, job: JobRecord) -> None:
        """Hand a job to the engine. Whatever goes wrong here, the keeper does it later."""
        busy = self._tally.count(job.service, JobState.QUEUED, JobState.RUNNING, JobState.CANCELLING)
        try:
            if job.state is JobState.QUEUED and busy <= self._config.workers:
                await self._engine.start_now(job.id, job.dispatch, job.service)
            else:
                delay = max(0.0, (job.next_attempt_at or 0) - self._store.clock())
                await self._engine.enqueue(job.id, job.dispatch, job.service, delay)
        except Exception:  # the top of a task
            log.exception("job_not_dispatched", job=job.id)

    def _announce(self, change: Change) -> None:
        job = change.job
        self._tally.note(change)
        self._bulletin.ring(job.id)
        log.info("job_moved", job=job.id, state=job.state, reason=job.reason, upstream=job.service)
        if job.state.ended:
            self._bills.close(job.id)
            unneeded = (REQUEST,) if job.state is JobState.SUCCEEDED else (REQUEST, RESULT)
            asyncio.get_running_loop().run_in_executor(None, self._bodies.discard, job.id, unneeded)

    async def _keep(self) -> None:
        while True:
            try:
                await self._keeper.look_after()
            except Exception:  # the top of a loop
                log.exception("jobs_not_looked_after")
            await asyncio.sleep(KEEP_EVERY_S)

    async def _record(self, job_id: str, asker: Asker) -> JobRecord:
        job = await self._store.get(job_id)
        if job is None or not asker.sees(job.owner):
            raise JobNotFound(f"There is no job {job_id}")
        return job

    async def _result_pieces(self, job_id: str) -> AsyncIterator[bytes]:
        content = await self._store.body(job_id, RESULT)
        if content is not None:
            return _pieces(content)
        rest = self._bodies.read(job_id, RESULT)
        try:
            first = await anext(rest)  # opens the file, which stays whole when it is deleted
        except FileNotFoundError as error:
            raise JobNotFound(f"The job {job_id} was forgotten just now") from error
        return _pieces(first, rest)

    async def _view(self, job: JobRecord) -> Job:
        if not views.has_inline_result(job):
            return views.job_view(job)
        pieces = [piece async for piece in await self._result_pieces(job.id)]
        return views.job_view(job, orjson.loads(b"".join(pieces)))

    def _make_runner(self) -> Runner:
        return Runner(
            self._store,
            self._bodies,
            self._caller,
            workers=self._config.workers,
            timeout_s=self._config.timeout_s,
            patience=Patience(self._config.retry_for_s, self._config.max_breaks),
            announce=self._announce,
            progressed=self._bulletin.ring,
            again=lambda job: self._spawn(self._dispatch(job)),
            bills=self._bills,
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _pieces(first: bytes, rest: AsyncIterator[bytes] | None = None) -> AsyncIterator[bytes]:
    yield first
    if rest is not None:
        async for piece in rest:
            yield piece
