"""What /schedules takes and answers: workflows that are run at certain times."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ai_semble.schemas.problem import Problem
from ai_semble.schemas.workflows import InputValues, WorkflowName


class CatchUp(StrEnum):
    """What becomes of times that were missed, since the orchestrator was not running."""

    NONE = "none"
    LAST = "last"
    ALL = "all"


class ScheduleRequest(BaseModel):
    """Which workflow is run, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workflow: WorkflowName = Field(description="Which workflow; it has to be there.")
    cron: str = Field(
        max_length=200,
        description="Minute, hour, day, month, weekday; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.",
        examples=["30 2 * * mon-fri"],
    )
    timezone: str = Field(
        "UTC",
        max_length=64,
        description="By its IANA name. A time that the change to summer time skips is due right after it; one that a "
        "night has twice is due once, unless the expression is for every hour.",
        examples=["Asia/Tokyo"],
    )
    inputs: InputValues = Field({}, description="Of every run.")
    version: int | None = Field(None, ge=1, le=2**31, description="Which version; the newest by default.")
    catch_up: CatchUp = Field(
        CatchUp.LAST,
        description="Times missed by more than a minute: `none` are made up for, one run for the `last` of them, or "
        "`all`, 100 at most. Times during a pause are not missed.",
    )
    paused: bool = Field(False, description="Whether it waits to be resumed.")


class Schedule(BaseModel):
    """A schedule, and how it stands."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="Its name.", examples=["nightly"])
    owner: str | None = Field(description="Id of the API key that its runs are made with; null without one.")
    workflow: str = Field(description="Which workflow.", examples=["data-quality"])
    version: int | None = Field(description="Which version; null for the newest.")
    cron: str = Field(description="When.", examples=["30 2 * * *"])
    timezone: str = Field(description="Where.", examples=["Asia/Tokyo"])
    inputs: dict[str, Any] = Field(description="Of every run.")
    catch_up: CatchUp = Field(description="What becomes of missed times.")
    paused: bool = Field(description="Whether it waits to be resumed.")
    created_at: datetime = Field(description="When it was made.")
    next_at: datetime | None = Field(description="When it is due next; null while it is paused.")
    last_at: datetime | None = Field(description="The time that its last run was for.")
    last_run: str | None = Field(description="Id of its last run.")
    problem: Problem | None = Field(None, description="Why there was no run when it was due last.")


class ScheduleList(BaseModel):
    """All schedules, by name."""

    model_config = ConfigDict(frozen=True)

    schedules: tuple[Schedule, ...]
