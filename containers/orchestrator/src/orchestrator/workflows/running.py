"""Which runs go on now, and who has them in hand."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Protocol

from ai_semble import problems
from ai_semble.errors import InsufficientStorage, InternalError
from ai_semble.logs import get_logger
from ai_semble.schemas.runs import RunState, StepState
from ai_semble.schemas.workflows import WorkflowDefinition
from ai_semble.service import Runtime
from orchestrator.access.keys import Scope
from orchestrator.jobs.askers import ANYBODY
from orchestrator.jobs.bulletin import Bulletin
from orchestrator.jobs.service import KEEP_EVERY_S, JobService
from orchestrator.workflows.conductor import Conductor
from orchestrator.workflows.graph import graph_of
from orchestrator.workflows.known import Shelf
from orchestrator.workflows.library import Library
from orchestrator.workflows.performing import SCOPES, Performer
from orchestrator.workflows.performing import Rights as StepRights
from orchestrator.workflows.planner import Standing, reopened
from orchestrator.workflows.records import ItemRecord, NewRun, RunRecord, StepRecord
from orchestrator.workflows.store import RunStore
from orchestrator.workflows.subruns import Children

log = get_logger(__name__)
DAY_S = 86_400
_BATCH = 100


class Rights(StepRights, Protocol):
    """Of the keys that runs are made with."""

    async def check(self, owner: str | None, scopes: Collection[Scope]) -> None: ...


class Running:
    """Gives each run to a conductor, as many at once as there is room for; the others stand in line.

    Runs that are steps of others have room and a line of their own, by their depth: who waits for a deeper run is
    never in its way, and `for_each` over workflows with `for_each` is no flood.
    """

    def __init__(
        self,
        runtime: Runtime,
        store: RunStore,
        library: Library,
        jobs: JobService,
        rights: Rights,
        bulletin: Bulletin,
        told: Callable[[], None],
    ) -> None:
        """`told` is called when a run has ended."""
        self._config = runtime.config.workflows
        self._store = store
        self._rights = rights
        self._bulletin = bulletin
        self._told = told
        self._shelf = Shelf()
        children = Children(store, library, bulletin, self._accept_child, self._stop_child)
        self._performer = Performer(jobs, rights, children, self._config.http_hosts)
        self._tasks: set[asyncio.Task[None]] = set()
        self._conductors: dict[str, Conductor] = {}
        # Their depth.
        self._in_hand: dict[str, int] = {}
        self._to_cancel: set[str] = set()
        # Tried again in the moment before they were let go.
        self._again: set[str] = set()
        self._lines: defaultdict[int, deque[str]] = defaultdict(deque)
        self._ended = runtime.metrics.counter(
            "ai_semble_runs_ended", "Runs of workflows that ended.", ["state"]
        )
        gauge = runtime.metrics.gauge("ai_semble_runs", "Runs of workflows that have not ended.", ["state"])
        gauge.labels("running").set_function(lambda: len(self._in_hand))
        gauge.labels("queued").set_function(lambda: sum(map(len, self._lines.values())))

    async def start(self) -> None:
        """Go on with the runs that there are."""
        await self._find_lost()
        self.spawn(self._keep())

    async def stop(self) -> None:
        """Leave every run as it is, for the next start."""
        self._lines.clear()
        self._again.clear()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def stand_in_line(self, run: RunRecord) -> None:
        self._lines[run.depth].append(run.id)
        self._pump(run.depth)

    def cancelled(self, run: RunRecord) -> None:
        """It has ended, or is to end."""
        if run.state is RunState.CANCELLING:
            self._tell_cancelled(run.id)
        else:
            self._ended.labels(run.state).inc()
            self._told()
        self._bulletin.ring(run.id)

    async def check_rights(self, definition: WorkflowDefinition, owner: str | None) -> None:
        """Those of all steps, so that a run does not fail in the middle for what was known before."""
        kinds = {step.kind for step in definition.steps.values()}
        scopes = {scope for kind, scope in SCOPES.items() if kind in kinds}
        await self._rights.check(owner, {Scope.WORKFLOWS, *scopes})

    async def reopen(self, run: RunRecord) -> RunRecord | None:
        """Back to `queued`, with what is done; None when it has not failed."""
        if run.state not in (RunState.FAILED, RunState.CANCELLED):
            return None  # Its steps may still change.
        graph = graph_of(run.workflow_definition())
        records = await self._store.steps(run.id)
        known = {
            name: Standing(step.state, tuple(item.state for item in step.items))
            for name, step in records.items()
        }
        after = reopened(graph, {node.name: known.get(node.name, Standing()) for node in graph})
        changed = {name: step for name, step in records.items() if after[name] != known[name]}
        again = {name: _begun_again(step, after[name]) for name, step in changed.items()}
        return await self._store.reopen(run, again)

    def _pump(self, depth: int) -> None:
        """Take runs from the line, as long as there is room."""
        line = self._lines[depth]
        while line and list(self._in_hand.values()).count(depth) < self._config.max_running:
            self._take(line.popleft(), depth)

    def _take(self, run_id: str, depth: int) -> None:
        if run_id in self._in_hand:
            self._again.add(run_id)
            return
        self._in_hand[run_id] = depth
        self.spawn(self._conduct(run_id, depth))

    async def _conduct(self, run_id: str, depth: int) -> None:
        try:
            run = await self._store.begin(run_id) or await self._store.get(run_id)
            if run is None or run.state.ended:
                return
            self._bulletin.ring(run_id)
            conductor = Conductor(run, self._store, self._performer, self._shelf, self._bulletin.ring)
            self._conductors[run_id] = conductor
            if run_id in self._to_cancel:
                conductor.cancel()
            await conductor.conduct()
            after = await self._store.get(run_id)
            self._ended.labels(after.state if after else RunState.FAILED).inc()
        except InsufficientStorage as error:
            log.warning("run_put_off", run=run_id, detail=error.detail)  # it is found again
        except Exception as error:  # the top of a run: a defect ends this run, not the orchestrator
            log.exception("run_crashed", run=run_id)
            await self._give_up(run_id, error)
        finally:
            self._conductors.pop(run_id, None)
            self._in_hand.pop(run_id, None)
            self._to_cancel.discard(run_id)
            self._bulletin.ring(run_id)
            self._told()
            if run_id in self._again:
                self._again.discard(run_id)
                self._take(run_id, depth)
            self._pump(depth)

    async def _give_up(self, run_id: str, error: Exception) -> None:
        defect = problems.document(InternalError(type(error).__name__), "orchestrator")
        reason = "A defect in Ai-semble stopped it; the log has the details under the request id."
        try:
            await self._store.end(run_id, RunState.FAILED, reason, problem=defect)
        except InsufficientStorage:
            log.warning("run_not_written", run=run_id)  # it is found again, when the disk has room

    def _tell_cancelled(self, run_id: str) -> None:
        if conductor := self._conductors.get(run_id):
            conductor.cancel()
        else:
            self._to_cancel.add(run_id)

    async def _accept_child(self, new: NewRun | RunRecord) -> str:
        """A run of a step: new, or one that has failed and goes on."""
        if isinstance(new, NewRun):
            await self.check_rights(WorkflowDefinition.model_validate_json(new.definition), new.owner)
            run = await self._store.accept(new, self._config.max_queued)
        else:
            run = await self.reopen(new) or new
        self.stand_in_line(run)
        return run.id

    async def _stop_child(self, run_id: str) -> None:
        run = await self._store.cancel(run_id, ANYBODY)
        if run is not None:
            self.cancelled(run)

    async def _keep(self) -> None:
        while True:
            try:
                await self._find_lost()
                await self._forget_old()
            except Exception:  # the top of a loop
                log.exception("runs_not_looked_after")
            await asyncio.sleep(KEEP_EVERY_S)

    async def _find_lost(self) -> None:
        """Go on with the runs that nobody has in hand: all of them at a start, later those that a full disk cost."""
        for run in await self._store.unended():
            if run.id in self._in_hand or run.id in self._lines[run.depth]:
                continue
            if run.state is RunState.QUEUED:
                self._lines[run.depth].append(run.id)
            else:
                self._take(run.id, run.depth)
        for depth in tuple(self._lines):
            self._pump(depth)

    async def _forget_old(self) -> None:
        before = self._store.clock() - self._config.retention_days * DAY_S
        while ids := await self._store.ended_before(before, _BATCH):
            for run_id in ids:
                await self._store.forget(run_id, ANYBODY)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this until `stop`."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _begun_again(step: StepRecord, standing: Standing) -> StepRecord | None:
    """The step with its open calls as if they had not been made; None when nothing of it is left."""
    if standing.state is StepState.PENDING:
        return None
    items = [
        item
        if state is not StepState.PENDING or not item.started_at
        else ItemRecord(item.number, job=item.job, started_at=item.started_at)
        for item, state in zip(step.items, standing.items, strict=True)
    ]
    return StepRecord(step.name, standing.state, items, step.over, step.started_at)
