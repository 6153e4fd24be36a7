"""A run as it stands in the database and in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ai_semble.schemas.runs import RunState, StepState
from ai_semble.schemas.workflows import WorkflowDefinition

Problem = Mapping[str, Any]


@dataclass(frozen=True)
class RunRecord:
    """A row of the table `runs`; times in seconds since 1970, `inputs` and `outputs` as JSON."""

    id: str
    workflow: str
    version: int
    definition: str
    owner: str | None
    parent: str | None
    depth: int
    state: RunState
    reason: str
    request_id: str
    fingerprint: str
    tries: int
    fraction: float
    created_at: float
    started_at: float | None
    ended_at: float | None
    inputs: str
    outputs: str | None
    problem: Problem | None

    @classmethod
    def of(cls, row: sqlite3.Row) -> RunRecord:
        values = {name: row[name] for name in cls.__dataclass_fields__}
        values["state"] = RunState(row["state"])
        values["problem"] = orjson.loads(row["problem"]) if row["problem"] else None
        return cls(**values)

    def workflow_definition(self) -> WorkflowDefinition:
        return WorkflowDefinition.model_validate_json(self.definition)


@dataclass(frozen=True)
class NewRun:
    """What is written when a run is accepted."""

    id: str
    workflow: str
    version: int
    definition: str
    owner: str | None
    parent: str | None
    depth: int
    request_id: str
    idempotency_key: str | None
    fingerprint: str
    inputs: str


@dataclass
class ItemRecord:
    """One call of a step. Changed by the one conductor that has the run in hand."""

    number: int
    state: StepState = StepState.PENDING
    attempts: int = 0
    job: str | None = None
    started_at: float = 0
    next_attempt_at: float | None = None
    problem: Problem | None = None


@dataclass
class StepRecord:
    """One step that has begun, with its calls; `over` are the items of `for_each`."""

    name: str
    state: StepState
    items: list[ItemRecord]
    over: list[Any] | None
    started_at: float
    ended_at: float | None = None
    problem: Problem | None = None


@dataclass(frozen=True)
class EventRecord:
    """A row of the table `run_events`."""

    run_id: str
    number: int
    at: float
    state: RunState
    step: str | None
    item: int | None
    step_state: StepState | None
    message: str
    fraction: float

    @classmethod
    def of(cls, row: sqlite3.Row) -> EventRecord:
        values = {name: row[name] for name in cls.__dataclass_fields__}
        values["state"] = RunState(row["state"])
        values["step_state"] = StepState(row["step_state"]) if row["step_state"] else None
        return cls(**values)


def steps_of(steps: list[sqlite3.Row], items: list[sqlite3.Row]) -> dict[str, StepRecord]:
    """The steps that have begun, by name; of their calls, those that have begun are as they were."""
    found = {row["step"]: _step(row) for row in steps}
    for row in items:
        step = found.get(row["step"])
        if step is not None and row["number"] < len(step.items):
            step.items[row["number"]] = _item(row)
    return found


def _step(row: sqlite3.Row) -> StepRecord:
    return StepRecord(
        name=row["step"],
        state=StepState(row["state"]),
        items=[ItemRecord(number) for number in range(row["total"])],
        over=orjson.loads(row["over"]) if row["over"] else None,
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        problem=orjson.loads(row["problem"]) if row["problem"] else None,
    )


def _item(row: sqlite3.Row) -> ItemRecord:
    return ItemRecord(
        number=row["number"],
        state=StepState(row["state"]),
        attempts=row["attempts"],
        job=row["job"],
        started_at=row["started_at"],
        next_attempt_at=row["next_attempt_at"],
        problem=orjson.loads(row["problem"]) if row["problem"] else None,
    )
