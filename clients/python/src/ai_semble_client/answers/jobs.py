"""Jobs, and what happens to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ai_semble_client.answers.base import Answer

ENDED = frozenset({"succeeded", "failed", "cancelled"})


class Progress(Answer):
    """`fraction` is from 0 to 1, or None while nobody can tell."""

    fraction: float | None = None
    message: str = ""


class Job(Answer):
    """A call that is made later, and how it stands."""

    id: str
    state: str
    reason: str
    progress: Progress
    service: str
    path: str
    attempts: int
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    next_attempt_at: datetime | None = None
    result: Any = None
    result_type: str | None = None
    result_bytes: int | None = None
    problem: dict[str, Any] | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED


class JobPage(Answer):
    """Newest first."""

    jobs: tuple[Job, ...]
    next_cursor: str | None = None


class JobEvent(Answer):
    """A change of state; without a number, a word on how far it is."""

    job_id: str
    number: int | None = None
    at: datetime
    state: str
    reason: str
    attempt: int
    progress: Progress

    @property
    def ended(self) -> bool:
        return self.state in ENDED
