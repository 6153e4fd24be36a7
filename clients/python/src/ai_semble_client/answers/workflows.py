"""Workflows and their runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ai_semble_client.answers.base import Answer
from ai_semble_client.answers.jobs import ENDED, Progress


class WorkflowVersion(Answer):
    """One version of a workflow."""

    version: int
    created_at: datetime


class WorkflowSummary(WorkflowVersion):
    """The newest version of a workflow."""

    name: str
    description: str
    steps: int


class Workflow(WorkflowSummary):
    """A workflow with its file."""

    definition: dict[str, Any]
    source: str
    versions: tuple[WorkflowVersion, ...]


class Items(Answer):
    """How far the calls of a step are."""

    total: int
    running: int
    succeeded: int
    failed: int


class StepRun(Answer):
    """A step of one run."""

    name: str
    kind: str
    state: str
    items: Items
    attempts: int
    started_at: datetime | None = None
    ended_at: datetime | None = None
    result: Any = None
    problem: dict[str, Any] | None = None
    jobs: tuple[str, ...]


class Run(Answer):
    """One execution of a workflow, and how it stands."""

    id: str
    workflow: str
    version: int
    state: str
    reason: str
    progress: Progress
    tries: int
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    problem: dict[str, Any] | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED


class RunDetail(Run):
    """A run with its steps."""

    inputs: Any
    outputs: Any
    steps: tuple[StepRun, ...]


class RunPage(Answer):
    """Newest first."""

    runs: tuple[Run, ...]
    next_cursor: str | None = None


class RunEvent(Answer):
    """One line of a run's log."""

    run_id: str
    number: int
    at: datetime
    state: str
    step: str | None = None
    index: int | None = None
    message: str
    fraction: float
    last: bool

    @property
    def ended(self) -> bool:
        """Whether the run has ended with it; an earlier try may have ended before."""
        return self.last
