"""A job as it stands in the database, and the values that are written there."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ai_semble.schemas.jobs import JobReason, JobState

REQUEST, RESULT = "request", "result"


@dataclass(frozen=True)
class JobRecord:
    """A row of the table `jobs`; times in seconds since 1970."""

    id: str
    state: JobState
    reason: JobReason
    detail: str
    service: str
    method: str
    path: str
    headers: Mapping[str, str]
    request_id: str
    fingerprint: str
    owner: str | None
    dispatch: int
    attempts: int
    breaks: int
    fraction: float | None
    message: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    next_attempt_at: float | None
    first_failed_at: float | None
    result_type: str | None
    result_bytes: int | None
    problem: Mapping[str, Any] | None

    @classmethod
    def of(cls, row: sqlite3.Row) -> JobRecord:
        values = {name: row[name] for name in cls.__dataclass_fields__}
        values["state"], values["reason"] = JobState(row["state"]), JobReason(row["reason"])
        values["headers"] = orjson.loads(row["headers"])
        values["problem"] = orjson.loads(row["problem"]) if row["problem"] else None
        return cls(**values)


@dataclass(frozen=True)
class EventRecord:
    """A row of the table `job_events`."""

    job_id: str
    number: int
    at: float
    state: JobState
    reason: JobReason
    detail: str
    attempt: int

    @classmethod
    def of(cls, row: sqlite3.Row) -> EventRecord:
        values = {name: row[name] for name in cls.__dataclass_fields__}
        values["state"], values["reason"] = JobState(row["state"]), JobReason(row["reason"])
        return cls(**values)


@dataclass(frozen=True)
class Change:
    """A job after a move, and the state that it came from; None when it is new."""

    before: JobState | None
    job: JobRecord


@dataclass(frozen=True)
class Unended:
    """What a start has to know about a job that has not ended."""

    id: str
    service: str
    dispatch: int
    next_attempt_at: float | None
    owner: str | None
    tokens_held: int | None


@dataclass(frozen=True)
class StoredBody:
    """A request or an answer; `content` is None when it is long, so that it lies in a file."""

    size: int
    digest: str
    content: bytes | None


@dataclass(frozen=True)
class NewJob:
    """What is written when a job is accepted."""

    id: str
    service: str
    method: str
    path: str
    headers: Mapping[str, str]
    request_id: str
    idempotency_key: str | None
    fingerprint: str
    owner: str | None = None
    tokens_held: int | None = None


def new_job_id(now: float) -> str:
    """32 hex digits: milliseconds, then chance, so that ids sort by time."""
    return f"{int(now * 1000):012x}{secrets.token_hex(10)}"
