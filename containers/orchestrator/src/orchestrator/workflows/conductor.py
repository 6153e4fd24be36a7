"""Takes one run to its end: asks the planner, does what it says, and writes down what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ai_semble import problems
from ai_semble.context import adopt_request_id
from ai_semble.errors import AiSembleError, InternalError
from ai_semble.logs import get_logger
from ai_semble.schemas.runs import RunState, StepState
from ai_semble.schemas.workflows import Retry, Step
from orchestrator.jobs.surely import surely
from orchestrator.workflows.errors import StepTimedOut, TooManyItems
from orchestrator.workflows.graph import call_of, graph_of
from orchestrator.workflows.known import Known, Shelf
from orchestrator.workflows.performing import Attempt, CallFailed, Performer, patiently
from orchestrator.workflows.planner import Plan, Standing, fraction, plan
from orchestrator.workflows.records import ItemRecord, Problem, RunRecord, StepRecord
from orchestrator.workflows.rendering import is_true
from orchestrator.workflows.store import RunStore

log = get_logger(__name__)
MOST_ITEMS = 1000
_ONCE = Retry(attempts=1)
_S = StepState


class Conductor:
    """The one that has the run in hand; `changed` is told whenever something about it has been written.

    What is not in the tables is in no conductor either: after a crash the next one begins with what was written, and
    `Performer` finds the jobs that were made meanwhile.
    """

    def __init__(
        self,
        run: RunRecord,
        store: RunStore,
        performer: Performer,
        shelf: Shelf,
        changed: Callable[[str], None],
    ) -> None:
        self.run = run
        self._definition = run.workflow_definition()
        self._graph = graph_of(self._definition)
        self._store = store
        self._performer = performer
        self._shelf = shelf
        self._changed = changed
        self._steps: dict[str, StepRecord] = {}
        self._calls: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._ending: RunState | None = RunState.CANCELLED if run.state is RunState.CANCELLING else None
        self._late = False
        self._news = asyncio.Event()

    def cancel(self) -> None:
        self._ending = RunState.CANCELLED
        self._news.set()

    async def conduct(self) -> None:
        """Until the run has ended. Cancelled when the orchestrator stops; then everything is left as it is."""
        adopt_request_id(self.run.request_id)
        self._known = Known(self.run, await self._store.results(self.run.id), self._shelf)
        try:
            await self._take_up()
            while (next_up := plan(self._graph, self._standings(), self._ending)).outcome is None:
                await self._carry_out(next_up)
                if next_up.is_idle:
                    await self._wait()
            await self._end(next_up.outcome)
        finally:
            for call in self._calls.values():
                call.cancel()
            await asyncio.gather(*self._calls.values(), return_exceptions=True)
            self._known.close()

    async def _take_up(self) -> None:
        """Go on where the last conductor of this run was."""
        self._steps = await self._store.steps(self.run.id)
        for step in self._steps.values():
            for item in step.items:
                if item.state in (_S.RUNNING, _S.WAITING):
                    self._start(step, item)

    async def _carry_out(self, next_up: Plan) -> None:
        for name in next_up.skip:
            await self._conclude(name, _S.SKIPPED, "Skipped: a step that it needs has no result.")
        for name in next_up.open:
            await self._open(name)
        for name, number in next_up.begin:
            item = self._steps[name].items[number]
            item.state, item.attempts, item.started_at = _S.RUNNING, 1, self._store.clock()
            self._start(self._steps[name], item)
        for name, state in next_up.conclude.items():
            await self._conclude(name, state, _ENDS[state])
        for name, number in next_up.abort:
            await self._abort(self._steps[name], self._steps[name].items[number])

    async def _wait(self) -> None:
        """Until something happens, or the run takes too long."""
        late_at = (self.run.started_at or self.run.created_at) + self._definition.timeout_s
        left = None if self._ending else max(0.0, late_at - self._store.clock())
        try:
            async with asyncio.timeout(left):
                await self._news.wait()
        except TimeoutError:
            self._late, self._ending = True, RunState.FAILED
        self._news.clear()

    async def _open(self, name: str) -> None:
        """Begin a step whose turn has come: whether it is run, and over what."""
        step = self._definition.steps[name]
        try:
            if not is_true(await self._known.render(step.when, self._steps)):
                await self._conclude(name, _S.SKIPPED, "Skipped: `when` is not true.")
                return
            over = await self._over(step)
        except AiSembleError as error:
            await self._conclude(name, _S.FAILED, f"Failed: {error.detail}", self._problem(error))
            return
        total = 1 if over is None else len(over)
        items = [ItemRecord(number) for number in range(total)]
        self._steps[name] = StepRecord(name, _S.RUNNING, items, over, self._store.clock())
        await self._write_step(self._steps[name], "Begun." if over is None else f"Begun, for {total} items.")

    async def _over(self, step: Step) -> list[Any] | None:
        if step.for_each is None:
            return None
        over = await self._known.render(step.for_each, self._steps)
        if not isinstance(over, list):
            raise TooManyItems(f"It is {_kind(over)}, not a list")
        if len(over) > MOST_ITEMS:
            raise TooManyItems(f"It has {len(over):,} items")
        return over

    async def _conclude(
        self, name: str, state: StepState, message: str, problem: Problem | None = None
    ) -> None:
        now = self._store.clock()
        step = self._steps.setdefault(name, StepRecord(name, state, [], None, now))
        step.state, step.ended_at, step.problem = state, now, problem
        await self._write_step(step, message)

    def _start(self, step: StepRecord, item: ItemRecord) -> None:
        self._calls[step.name, item.number] = asyncio.create_task(self._call(step, item))

    async def _call(self, step: StepRecord, item: ItemRecord) -> None:
        """All attempts of one call, from the one that it is at."""
        retry = self._definition.steps[step.name].retry or _ONCE
        try:
            while True:
                if item.state is _S.WAITING:
                    await asyncio.sleep(max(0.0, (item.next_attempt_at or 0) - self._store.clock()))
                    item.state, item.next_attempt_at, item.problem = _S.RUNNING, None, None
                    item.attempts, item.started_at = item.attempts + 1, self._store.clock()
                result, problem = await self._attempt(step, item)
                if result is not None:
                    await self._move(step, item, "", result, state=_S.SUCCEEDED)
                    return
                if item.attempts >= retry.attempts:
                    failed = f"Failed: {_detail(problem)}"
                    await self._move(step, item, failed, state=_S.FAILED, problem=problem)
                    return
                wait = retry.wait_after(item.attempts)
                message = f"Attempt {item.attempts} failed, the next one is in {wait:g} s: {_detail(problem)}"
                until = self._store.clock() + wait
                await self._move(
                    step, item, message, state=_S.WAITING, problem=problem, next_attempt_at=until
                )
        except Exception as error:  # the top of a task: a defect fails this call, not the orchestrator
            log.exception("step_crashed", run=self.run.id, step=step.name)
            defect = self._problem(InternalError(type(error).__name__))
            await self._move(step, item, "Failed, by a defect.", state=_S.FAILED, problem=defect)
        finally:
            self._news.set()

    async def _attempt(self, step: StepRecord, item: ItemRecord) -> tuple[bytes | None, Problem | None]:
        """The result, or why there is none."""
        definition = self._definition.steps[step.name]
        attempt = self._attempt_of(step, item)

        async def begun(job: str) -> None:
            if item.job != job:
                await self._move(step, item, "", job=job)

        async def make() -> bytes:
            over = None if step.over is None else (item.number, step.over[item.number])
            call = await self._known.render(call_of(definition), self._steps, over)
            result = await self._performer.perform(attempt, call, begun)
            self._known.check(result)
            return result

        try:
            async with asyncio.timeout(self._left(definition, item)):
                return await patiently(make), None
        except TimeoutError:
            await self._performer.abort(attempt)
            return None, self._problem(StepTimedOut(f"It took longer than {definition.timeout_s:g} s"))
        except CallFailed as failed:
            return None, failed.problem
        except AiSembleError as error:
            return None, self._problem(error)

    def _left(self, definition: Step, item: ItemRecord) -> float | None:
        """Seconds that are left for an attempt, which may have begun before a crash."""
        if definition.timeout_s is None:
            return None
        return max(0.0, item.started_at + definition.timeout_s - self._store.clock())

    async def _abort(self, step: StepRecord, item: ItemRecord) -> None:
        call = self._calls.get((step.name, item.number))
        if call is not None and not call.done():
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        if not item.state.ended:
            await self._performer.abort(self._attempt_of(step, item))
            await self._move(step, item, "Cancelled.", state=_S.CANCELLED)

    def _attempt_of(self, step: StepRecord, item: ItemRecord) -> Attempt:
        kind = self._graph.nodes[step.name].kind
        return Attempt(self.run, step.name, item.number, item.attempts, kind, item.job)

    async def _end(self, outcome: RunState) -> None:
        outputs: Any = None
        problem: Problem | None = None
        reason = {
            RunState.SUCCEEDED: "Every step is done.",
            RunState.CANCELLED: "It was cancelled.",
        }.get(outcome, "A step failed; `problem` says why.")
        if outcome is RunState.SUCCEEDED:
            try:
                outputs = await self._known.render(dict(self._definition.outputs), self._steps)
            except AiSembleError as error:
                outcome, problem = RunState.FAILED, self._problem(error)
                reason = "Its outputs could not be worked out; `problem` says why."
        elif self._late:
            late = StepTimedOut(f"The run took longer than {self._definition.timeout_s:g} s")
            reason, problem = "It took longer than its `timeout_s`.", self._problem(late)
        elif outcome is RunState.FAILED:
            problem = self._first_problem()
        await surely(
            lambda: self._store.end(self.run.id, outcome, reason, outputs, problem), "run_not_written"
        )
        log.info("run_ended", run=self.run.id, workflow=self.run.workflow, state=outcome)

    def _first_problem(self) -> Problem | None:
        """Of the step that made the run fail."""
        for name, step in self._steps.items():
            if self._graph.nodes[name].goes_on:
                continue
            failed = [item.problem for item in step.items if item.state is _S.FAILED]
            if problem := step.problem or next(filter(None, failed), None):
                return {**problem, "step": name}
        return None

    def _standings(self) -> dict[str, Standing]:
        pending = Standing()
        known = {
            name: Standing(step.state, tuple(item.state for item in step.items))
            for name, step in self._steps.items()
        }
        return {node.name: known.get(node.name, pending) for node in self._graph}

    def _problem(self, error: AiSembleError) -> Problem:
        return {**problems.document(error, "orchestrator"), "request_id": self.run.request_id}

    async def _write_step(self, step: StepRecord, message: str) -> None:
        part = fraction(self._standings())
        await surely(lambda: self._store.put_step(self.run.id, step, part, message), "run_not_written")
        self._changed(self.run.id)

    async def _move(
        self, step: StepRecord, item: ItemRecord, message: str, result: bytes | None = None, **changes: Any
    ) -> None:
        """Write a change, then let the planner see it: what it concludes has been written before."""
        part = fraction(self._standings())
        changed = replace(item, **changes)
        text = result.decode() if result is not None else None
        await surely(
            lambda: self._store.put_item(self.run.id, step.name, changed, part, message, text),
            "run_not_written",
        )
        if result is not None:
            self._known.add(step.name, item.number, result)
        vars(item).update(vars(changed))
        self._changed(self.run.id)


_ENDS: Mapping[StepState, str] = {
    _S.SUCCEEDED: "Done.",
    _S.FAILED: "Failed.",
    _S.CANCELLED: "Cancelled.",
}


def _kind(value: Any) -> str:
    return {dict: "an object", str: "a text", type(None): "null"}.get(type(value), "a single value")


def _detail(problem: Problem | None) -> str:
    return str((problem or {}).get("detail", ""))[:500]
