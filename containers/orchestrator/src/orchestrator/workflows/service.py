"""The workflows of this orchestrator and their runs: what the routes talk to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import orjson

from ai_semble.room import Room
from ai_semble.schemas.runs import (
    RerunRequest,
    Run,
    RunDetail,
    RunEvent,
    RunLog,
    RunPage,
    RunQuery,
    RunRequest,
    RunState,
    StepState,
)
from ai_semble.schemas.schedules import Schedule, ScheduleRequest
from ai_semble.schemas.workflows import WorkflowDefinition
from ai_semble.service import Runtime
from orchestrator.jobs.askers import Asker
from orchestrator.jobs.bulletin import Bulletin
from orchestrator.jobs.database import Database
from orchestrator.jobs.errors import IdempotencyKeyReused
from orchestrator.jobs.records import new_job_id
from orchestrator.jobs.service import HEARTBEAT_S, JobService
from orchestrator.sqlfiles import migrate_to
from orchestrator.workflows import views
from orchestrator.workflows.drawing import draw
from orchestrator.workflows.errors import (
    NoStepResult,
    NothingToRetry,
    RunHasEnded,
    RunHasNotEnded,
    RunNotFound,
    StepNotFound,
)
from orchestrator.workflows.graph import graph_of
from orchestrator.workflows.inputs import complete
from orchestrator.workflows.intake import checked_key, fingerprint
from orchestrator.workflows.library import Library, Stored
from orchestrator.workflows.records import NewRun, RunRecord
from orchestrator.workflows.running import Rights, Running
from orchestrator.workflows.schedules import Schedules
from orchestrator.workflows.store import PACKAGE, RunStore
from orchestrator.workflows.webhooks import Post, Webhooks

# Of the results of all steps together, in characters.
_MOST_SHOWN = 8 * views.MOST_INLINE


class WorkflowService:
    """`app.state.workflows` is one; open it in the lifespan with `async with`, within the jobs' own.

    A run that the asker does not see is one that is not there. Nothing runs before `start`.
    """

    def __init__(self, runtime: Runtime, jobs: JobService, rights: Rights, post: Post) -> None:
        self._config = runtime.config.workflows
        folder = runtime.paths.state_dir / "workflows"
        self._database = Database(
            folder / "workflows.sqlite", lambda connection: migrate_to(connection, PACKAGE), "workflows"
        )
        room = Room(folder, runtime.config.resources.keep_free_disk)
        self.library = Library(self._database, room.check)
        self._store = RunStore(self._database, check_room=room.check)
        self._bulletin = Bulletin()
        self.schedules = Schedules(self._database, self.submit)
        self.webhooks = Webhooks(self._database, post, rights.check, self._config.http_hosts)
        self._running = Running(
            runtime, self._store, self.library, jobs, rights, self._bulletin, self.webhooks.run_ended
        )

    async def __aenter__(self) -> Self:
        """Raises sqlite3.Error, OSError."""
        await asyncio.to_thread(self._database.open)
        return self

    async def start(self) -> None:
        """Go on with the runs that there are."""
        await self._running.start()
        self._running.spawn(self.schedules.keep_time())
        self._running.spawn(self.webhooks.keep_telling())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bulletin.close()
        await self._running.stop()
        await asyncio.to_thread(self._database.close)

    async def submit(
        self,
        name: str,
        request: RunRequest,
        asker: Asker,
        request_id: str,
        idempotency_key: str | None = None,
    ) -> Run:
        """Accept a run: when this returns, it survives whatever happens.

        The same idempotency key with the same request of the same owner gives the same run. Raises WorkflowNotFound,
        InvalidInputs, ScopeMissing, Overloaded, InsufficientStorage, BadIdempotencyKey, IdempotencyKeyReused.
        """
        mark = fingerprint(name, request.model_dump(mode="json"))

        async def new(key: str | None) -> NewRun:
            stored = await self.library.get(name, request.version)
            return await self._new(stored, request.inputs, asker.owner, request_id, key, mark)

        return await self._accept(new, mark, asker, idempotency_key)

    async def rerun(
        self,
        run_id: str,
        request: RerunRequest,
        asker: Asker,
        request_id: str,
        idempotency_key: str | None = None,
    ) -> Run:
        """A new run of the same version, with some inputs changed. Raises RunNotFound, and as `submit` does."""
        before = await self._record(run_id, asker)
        mark = fingerprint(run_id, request.model_dump(mode="json"))

        async def new(key: str | None) -> NewRun:
            inputs = {**orjson.loads(before.inputs), **request.inputs}
            stored = Stored(before.workflow, None, before.version, "", before.definition, 0)
            return await self._new(stored, inputs, asker.owner, request_id, key, mark)

        return await self._accept(new, mark, asker, idempotency_key)

    async def get(self, run_id: str, asker: Asker, wait_s: float = 0) -> RunDetail:
        """A run with its steps; after its end, or after so many seconds. Raises RunNotFound."""
        with self._bulletin.watching(run_id) as watch:
            deadline = asyncio.get_running_loop().time() + wait_s
            run = await self._record(run_id, asker)
            while not run.state.ended and not self._bulletin.closed:
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0 or not await watch.wait(left):
                    break
                run = await self._record(run_id, asker)
        return await self._detail(run)

    async def put_schedule(self, name: str, request: ScheduleRequest, asker: Asker) -> Schedule:
        """As `Schedules.put`; raises WorkflowNotFound, InvalidInputs and ScopeMissing besides, before it is due."""
        stored = await self.library.get(request.workflow, request.version)
        definition = WorkflowDefinition.model_validate_json(stored.definition)
        complete(request.inputs, definition.inputs)
        await self._running.check_rights(definition, asker.owner)
        return await self.schedules.put(name, request, asker)

    async def list(self, workflow: str, query: RunQuery, asker: Asker) -> RunPage:
        """A page of the runs of a workflow, newest first; of one that was deleted, too."""
        found = await self._store.page(workflow, query, asker)
        page = found[: query.limit]
        cursor = page[-1].id if len(found) > query.limit else None
        return RunPage(runs=tuple(map(views.run_view, page)), next_cursor=cursor)

    async def outputs(self, run_id: str, asker: Asker) -> bytes:
        """As JSON. Raises RunNotFound, RunHasNotEnded, NoStepResult."""
        run = await self._record(run_id, asker)
        if not run.state.ended:
            raise RunHasNotEnded(f"The run is {run.state}", retry_after=1)
        if run.outputs is None:
            raise NoStepResult(f"The run is {run.state}, so it has no outputs")
        return run.outputs.encode()

    async def step_result(self, run_id: str, step: str, index: int | None, asker: Asker) -> bytes:
        """The result of a step, or of one item of it, as JSON. Raises RunNotFound, StepNotFound, NoStepResult."""
        run = await self._record(run_id, asker)
        if step not in run.workflow_definition().steps:
            raise StepNotFound(f"There is no step {step} in {run.workflow}")
        record = (await self._store.steps(run_id)).get(step)
        if index is None and (record is None or record.state is not StepState.SUCCEEDED):
            raise NoStepResult(f"The step is {record.state if record else StepState.PENDING}")
        if index is None and record is not None and record.over is not None:
            texts = [await self._store.result(run_id, step, item.number) for item in record.items]
            return b"[" + b",".join((text or "null").encode() for text in texts) + b"]"
        result = await self._store.result(run_id, step, index or 0)
        if result is None:
            raise NoStepResult(f"Item {index or 0} of the step has no result")
        return result.encode()

    async def picture(self, run_id: str, asker: Asker) -> str:
        """The run as SVG. Raises RunNotFound."""
        run = await self._record(run_id, asker)
        steps = await self._store.steps(run_id)
        states = {name: step.state for name, step in steps.items()}
        return draw(graph_of(run.workflow_definition()), f"{run.workflow}: {run.state}", states)

    async def cancel(self, run_id: str, asker: Asker) -> Run:
        """Begin nothing more, and cut what runs. Raises RunNotFound, RunHasEnded; once is as good as twice."""
        run = await self._store.cancel(run_id, asker)
        if run is None:
            run = await self._record(run_id, asker)
            if run.state in (RunState.SUCCEEDED, RunState.FAILED):
                raise RunHasEnded(f"The run is {run.state} already")
            return views.run_view(run)
        self._running.cancelled(run)
        return views.run_view(run)

    async def retry(self, run_id: str, asker: Asker) -> Run:
        """Go on from where a run failed or was cancelled. Raises RunNotFound, NothingToRetry, and for the rights."""
        run = await self._record(run_id, asker)
        if run.parent is not None:
            raise NothingToRetry(
                f"It is a step of the run {run.parent}", hint=f"POST /runs/{run.parent}/retry."
            )
        await self._running.check_rights(run.workflow_definition(), run.owner)
        return views.run_view(await asyncio.shield(asyncio.create_task(self._reopen(run))))

    async def forget(self, run_id: str, asker: Asker) -> None:
        """Delete a run that has ended, with its log. Raises RunNotFound, RunHasNotEnded."""
        if not await self._store.forget(run_id, asker):
            run = await self._record(run_id, asker)
            raise RunHasNotEnded(f"The run is {run.state}")

    async def log(self, run_id: str, asker: Asker, after: int) -> RunLog:
        events, _ = await self._events(run_id, asker, after)
        return RunLog(events=events)

    async def events(self, run_id: str, asker: Asker, after: int = 0) -> AsyncIterator[RunEvent | None]:
        """Every line of the log after this number, then those to come, until the run has ended.

        None when nothing happened for a while. Raises RunNotFound.
        """
        with self._bulletin.watching(run_id) as watch:
            while not self._bulletin.closed:
                found, has_ended = await self._events(run_id, asker, after)
                for event in found:
                    after = event.number
                    yield event
                if not found and has_ended:
                    return
                if found and found[-1].last:
                    return
                if not found and not await watch.wait(HEARTBEAT_S):
                    yield None

    def release_watchers(self) -> None:
        """End every event stream and every wait: the server is stopping."""
        self._bulletin.close()

    async def _events(self, run_id: str, asker: Asker, after: int) -> tuple[tuple[RunEvent, ...], bool]:
        """Lines of the log after this number, and whether the run has ended. Raises RunNotFound."""
        run, found = await self._store.log(run_id, after)
        has_ended = _seen(run, run_id, asker).state.ended
        lines = (
            views.event_view(event, last=has_ended and event.state.ended and event is found[-1])
            for event in found
        )
        return tuple(lines), has_ended

    async def _accept(
        self,
        new: Callable[[str | None], Awaitable[NewRun]],
        mark: str,
        asker: Asker,
        idempotency_key: str | None,
    ) -> Run:
        """`new` makes it, unless there is one with this key already."""
        key = checked_key(idempotency_key, asker.owner)
        if key and (known := await self._store.of_key(key)):
            return views.run_view(_same(known, mark))
        made = await new(key)
        # From here on it is decided without the client, even when it leaves meanwhile.
        run = await asyncio.shield(asyncio.create_task(self._stand_in_line(made)))
        return views.run_view(_same(run, mark))

    async def _stand_in_line(self, new: NewRun) -> RunRecord:
        run = await self._store.accept(new, self._config.max_queued)
        if run.id == new.id:
            self._running.stand_in_line(run)
        return run

    async def _reopen(self, run: RunRecord) -> RunRecord:
        again = await self._running.reopen(run)
        if again is None:
            raise NothingToRetry(f"The run is {run.state}")
        self._running.stand_in_line(again)
        return again

    async def _new(
        self,
        stored: Stored,
        given: dict[str, Any],
        owner: str | None,
        request_id: str,
        key: str | None,
        mark: str,
    ) -> NewRun:
        definition = WorkflowDefinition.model_validate_json(stored.definition)
        inputs = complete(given, definition.inputs)
        await self._running.check_rights(definition, owner)
        return NewRun(
            id=new_job_id(self._store.clock()),
            workflow=stored.name,
            version=stored.version,
            definition=stored.definition,
            owner=owner,
            parent=None,
            depth=0,
            request_id=request_id,
            idempotency_key=key,
            fingerprint=mark,
            inputs=orjson.dumps(inputs).decode(),
        )

    async def _detail(self, run: RunRecord) -> RunDetail:
        """With the results of its steps, as far as they are short."""
        steps = await self._store.steps(run.id)
        texts = await self._store.short_results(run.id, views.MOST_INLINE)
        shown: dict[str, Any] = {}
        room = _MOST_SHOWN
        for name, step in steps.items():
            parts = [texts.get((name, item.number), "null") for item in step.items]
            succeeded = sum(item.state is StepState.SUCCEEDED for item in step.items)
            is_whole = succeeded == sum((name, item.number) in texts for item in step.items)
            size = sum(map(len, parts))
            if step.state is StepState.SUCCEEDED and is_whole and size <= min(views.MOST_INLINE, room):
                room -= size
                values = [orjson.loads(part) for part in parts]
                shown[name] = values if step.over is not None else values[0]
        return views.run_detail(run, steps, shown)

    async def _record(self, run_id: str, asker: Asker) -> RunRecord:
        return _seen(await self._store.get(run_id), run_id, asker)


def _seen(run: RunRecord | None, run_id: str, asker: Asker) -> RunRecord:
    """Raises RunNotFound."""
    if run is None or not asker.sees(run.owner):
        raise RunNotFound(f"There is no run {run_id}")
    return run


def _same(run: RunRecord, mark: str) -> RunRecord:
    """Raises IdempotencyKeyReused when the run was made by another request."""
    if run.fingerprint != mark:
        raise IdempotencyKeyReused(f"The key was sent with another request before, for run {run.id}")
    return run
