"""The jobs of this orchestrator: what the routes and the gateway talk to.

(signatures first; the bodies follow)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from ai_semble.schemas.jobs import Job, JobEvent, JobPage, JobQuery
from ai_semble.service import Runtime

from orchestrator.jobs.calls import Call, Caller


class JobService:
    """Durable asynchronous calls. `app.state.jobs` is one; open it in the lifespan with `async with`."""

    def __init__(self, runtime: Runtime, caller: Caller) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        raise NotImplementedError

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError

    async def submit(self, call: Call, body: AsyncIterator[bytes]) -> Job:
        """Accept a call; when this returns, the job survives a crash. The relay answers 202 with
        `Location: /jobs/{id}`, `Preference-Applied: respond-async` and the job (`routes.jobs.accepted(job)`
        makes that response). Raises Overloaded, InsufficientStorage, IdempotencyKeyReused."""
        raise NotImplementedError

    async def get(self, job_id: str) -> Job:
        raise NotImplementedError

    async def list(self, query: JobQuery) -> JobPage:
        raise NotImplementedError

    async def cancel(self, job_id: str) -> Job:
        raise NotImplementedError

    async def forget(self, job_id: str) -> None:
        raise NotImplementedError

    def events(self, job_id: str, after: int = 0) -> AsyncIterator[JobEvent | None]:
        """Every event of a job after the given number, then those to come, until it has ended;
        None when nothing happened for a while (a heartbeat)."""
        raise NotImplementedError
