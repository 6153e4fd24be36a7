"""What runs look like to those who ask."""

from __future__ import annotations

from typing import Any

import orjson

from ai_semble.schemas.jobs import Progress
from ai_semble.schemas.problem import Problem as ProblemModel
from ai_semble.schemas.runs import Items, Run, RunDetail, RunEvent, StepRun, StepState
from ai_semble.schemas.workflows import Step
from orchestrator.jobs.views import moment
from orchestrator.workflows.planner import IN_HAND
from orchestrator.workflows.records import EventRecord, Problem, RunRecord, StepRecord

# A longer value is only given at its own address.
MOST_INLINE = 64 * 1024
_MOST_JOBS = 20


def run_view(run: RunRecord) -> Run:
    return Run(**_facts(run))


def run_detail(run: RunRecord, steps: dict[str, StepRecord], results: dict[str, Any]) -> RunDetail:
    """`results` are those that are short, by step."""
    definition = run.workflow_definition()
    return RunDetail(
        **_facts(run),
        inputs=_inline(run.inputs),
        outputs=_inline(run.outputs),
        steps=tuple(
            _step_view(run, name, step, steps.get(name), results) for name, step in definition.steps.items()
        ),
    )


def event_view(event: EventRecord, *, last: bool = False) -> RunEvent:
    return RunEvent(
        run_id=event.run_id,
        number=event.number,
        at=moment(event.at),
        state=event.state,
        step=event.step,
        index=event.item,
        step_state=event.step_state,
        message=event.message,
        fraction=event.fraction,
        last=last,
    )


def _facts(run: RunRecord) -> dict[str, Any]:
    return {
        "id": run.id,
        "workflow": run.workflow,
        "version": run.version,
        "owner": run.owner,
        "parent": run.parent,
        "state": run.state,
        "reason": run.reason,
        "progress": Progress(fraction=run.fraction, message=""),
        "request_id": run.request_id,
        "tries": run.tries,
        "created_at": moment(run.created_at),
        "started_at": _moment_or_none(run.started_at),
        "ended_at": _moment_or_none(run.ended_at),
        "problem": _problem(run.problem),
    }


def _step_view(
    run: RunRecord, name: str, step: Step, record: StepRecord | None, results: dict[str, Any]
) -> StepRun:
    if record is None:
        nothing = Items(total=0, running=0, succeeded=0, failed=0)
        return StepRun(
            name=name,
            kind=step.kind,
            state=StepState.PENDING,
            items=nothing,
            attempts=0,
            started_at=None,
            ended_at=None,
            jobs=(),
        )
    states = [item.state for item in record.items]
    failed = next((item.problem for item in record.items if item.problem), None)
    has_result = record.state is StepState.SUCCEEDED
    return StepRun(
        name=name,
        kind=step.kind,
        state=record.state,
        items=Items(
            total=len(states),
            running=sum(state in IN_HAND for state in states),
            succeeded=states.count(StepState.SUCCEEDED),
            failed=states.count(StepState.FAILED),
        ),
        attempts=sum(item.attempts for item in record.items),
        started_at=moment(record.started_at),
        ended_at=_moment_or_none(record.ended_at),
        result=results.get(name),
        result_url=f"/runs/{run.id}/steps/{name}/result" if has_result else None,
        problem=_problem(record.problem or failed),
        jobs=tuple(item.job for item in record.items if item.job)[-_MOST_JOBS:],
    )


def _inline(text: str | None) -> Any:
    return None if text is None or len(text) > MOST_INLINE else orjson.loads(text)


def _problem(problem: Problem | None) -> ProblemModel | None:
    return ProblemModel.model_validate(problem) if problem else None


def _moment_or_none(seconds: float | None) -> Any:
    return None if seconds is None else moment(seconds)
