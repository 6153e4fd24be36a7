"""How workflows and their runs look to those who ask."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ai_semble.schemas.jobs import Progress
from ai_semble.schemas.problem import Problem
from ai_semble.schemas.workflows import InputValues, StepKind

RUN_ID = r"^[0-9a-f]{32}$"


class RunState(StrEnum):
    """How a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)


class StepState(StrEnum):
    """How a step of a run stands, or one of its items."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SKIPPED = "skipped"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (StepState.SKIPPED, StepState.SUCCEEDED, StepState.FAILED, StepState.CANCELLED)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WorkflowVersion(_Answer):
    """One version of a workflow."""

    version: int = Field(description="1 for the first.", examples=[3])
    created_at: datetime = Field(description="When it was stored.")


class WorkflowSummary(WorkflowVersion):
    """A workflow, as the list shows it: its newest version."""

    name: str = Field(description="Its name.", examples=["review-report"])
    description: str = Field(description="What it is for, by its file.")
    owner: str | None = Field(
        description="Id of the API key that stored it first; null without one. Other keys run it, but do not "
        "replace or delete it, unless they have the scope `all-jobs`.",
        examples=["3f9c01d2a4b6"],
    )
    steps: int = Field(description="How many it has.", examples=[5])


class Workflow(WorkflowSummary):
    """A workflow with its file."""

    definition: dict[str, Any] = Field(description="What the file says, as JSON.")
    source: str = Field(description="The file itself, with its comments.")
    versions: tuple[WorkflowVersion, ...] = Field(description="All versions, newest first.")


class WorkflowPage(_Answer):
    """Workflows, by name."""

    workflows: tuple[WorkflowSummary, ...] = Field(description="The newest version of each.")


class RunRequest(_Request):
    """What a run is given."""

    inputs: InputValues = Field({}, description="By name, as the workflow declares them.")
    version: int | None = Field(None, ge=1, le=2**31, description="Which version; the newest by default.")


class RerunRequest(_Request):
    """What is different in a new run."""

    inputs: InputValues = Field({}, description="Those that change; the others are as before.")


class Items(_Answer):
    """How far the calls of a step are."""

    total: int = Field(description="How many it has; 1 without `for_each`.", examples=[12])
    running: int = Field(description="That are being made now, or wait to be made again.", examples=[4])
    succeeded: int = Field(description="That were answered.", examples=[7])
    failed: int = Field(description="That failed for good.", examples=[0])


class StepRun(_Answer):
    """A step of one run."""

    name: str = Field(description="Its name in the workflow.", examples=["sentiment"])
    kind: StepKind = Field(description="What it calls.")
    state: StepState = Field(
        description="`pending` -> `running` -> `succeeded` | `failed` | `cancelled`, or `skipped`. In a run that "
        "has ended, `pending` steps were never begun."
    )
    items: Items = Field(description="How far its calls are.")
    attempts: int = Field(description="How often calls were made, all items together.", examples=[1])
    started_at: datetime | None = Field(description="When it began.")
    ended_at: datetime | None = Field(description="When it ended.")
    result: Any = Field(
        None, description="Its result, if that has at most 64 KiB; the whole is at `result_url`."
    )
    result_url: str | None = Field(None, description="Where its result is, when it has one.")
    problem: Problem | None = Field(None, description="What went wrong, with the first item that failed.")
    jobs: tuple[str, ...] = Field(description="Ids of its last jobs, up to 20; for sub-workflows of runs.")


class Run(_Answer):
    """One execution of a workflow. It survives a crash of any service, the orchestrator included."""

    id: str = Field(description="Sorts by time of creation.", examples=["0199c1a2b3c4d5e6f708192a3b4c5d6e"])
    workflow: str = Field(description="Which workflow.", examples=["review-report"])
    version: int = Field(description="Which version of it.", examples=[3])
    owner: str | None = Field(
        description="Id of the API key that it was made with; null without one. Other keys do not see it, unless "
        "they have the scope `all-jobs`.",
        examples=["3f9c01d2a4b6"],
    )
    parent: str | None = Field(description="The run whose step this one is; null for others.")
    state: RunState = Field(
        description="`queued` -> `running` -> `succeeded` | `failed`; `cancelling` -> `cancelled`."
    )
    reason: str = Field(description="Why it is in this state.", examples=["Every step is done."])
    progress: Progress = Field(description="How far it is.")
    request_id: str = Field(description="Id of the request that submitted it, as in all logs.")
    tries: int = Field(description="1, and 1 more for each `retry`.", examples=[1])
    created_at: datetime = Field(description="When it was accepted.")
    started_at: datetime | None = Field(description="When its last try began.")
    ended_at: datetime | None = Field(description="When it ended; null before.")
    problem: Problem | None = Field(None, description="What went wrong, when it failed.")


class RunDetail(Run):
    """A run with its steps."""

    inputs: Any = Field(description="What it was given; null if that is longer than 64 KiB.")
    outputs: Any = Field(
        description="What it gives back; null before its end, or if longer than 64 KiB: ask /runs/{id}/outputs."
    )
    steps: tuple[StepRun, ...] = Field(description="In the order of the file.")


class RunPage(_Answer):
    """Runs, newest first."""

    runs: tuple[Run, ...] = Field(description="Without their steps; ask for one run to see its own.")
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the page after this one; null on the last page."
    )


class RunQuery(_Request):
    """Which runs are listed."""

    state: RunState | None = Field(None, description="Only runs in this state.")
    limit: int = Field(50, ge=1, le=200, description="Most runs on a page.")
    cursor: str | None = Field(None, pattern=RUN_ID, description="`next_cursor` of the page before.")


class RunEvent(_Answer):
    """One line of a run's log; the data of a server-sent event. `event:` is `log`, or `end` for the last one."""

    run_id: str = Field(description="The run that it is about.")
    number: int = Field(description="1 for the first.")
    at: datetime = Field(description="When it happened.")
    state: RunState = Field(description="The run's.")
    step: str | None = Field(description="The step that it is about; null for the run.")
    index: int | None = Field(description="Which item of a `for_each`, from 0; null for the step as a whole.")
    step_state: StepState | None = Field(description="The step's, or the item's.")
    message: str = Field(description="What happened.")
    fraction: float = Field(description="Done part of the whole by then, 0 to 1.")
    last: bool = Field(description="Whether the run has ended with it; one that is tried again goes on.")


class RunLog(_Answer):
    """The log of a run."""

    events: tuple[RunEvent, ...] = Field(description="In order.")
