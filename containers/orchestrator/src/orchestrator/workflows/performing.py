"""Makes one call of a step: as a job, or as a run of another workflow; and knows it again after a crash."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from yarl import URL

from ai_semble.errors import AiSembleError
from ai_semble.schemas.jobs import Job, JobState
from ai_semble.schemas.problem import Problem
from ai_semble.schemas.runs import RunState
from ai_semble.schemas.workflows import HttpCall, StepKind, WorkflowCall
from orchestrator.access.keys import Scope
from orchestrator.gateway.outward import OUTWARD
from orchestrator.jobs.askers import ANYBODY, Asker
from orchestrator.jobs.bills import Hold
from orchestrator.jobs.calls import Call
from orchestrator.jobs.errors import JobHasEnded, JobNotFound
from orchestrator.jobs.service import JobService
from orchestrator.workflows.errors import (
    BadReference,
    HostNotListed,
    StepCancelled,
    StepResultNotJson,
    StepResultTooLarge,
    SubrunFailed,
)
from orchestrator.workflows.known import MOST_OF_A_STEP
from orchestrator.workflows.records import RunRecord
from orchestrator.workflows.requests import PATHS

SCOPES = {
    StepKind.LLM: Scope.LLM,
    StepKind.VISION: Scope.VISION,
    StepKind.NLP: Scope.NLP,
    StepKind.DATA: Scope.DATA,
}
_JSON = {"content-type": "application/json", "accept": "application/json"}
# As RFC 9110 has them: `Content-Length ` with a space would be another one to some, and the same to others.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNWRITABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
Begun = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Attempt:
    """One attempt of one call. `former` is the job or run of the attempt before it, in a run that is tried again."""

    run: RunRecord
    step: str
    number: int
    attempt: int
    kind: StepKind
    former: str | None

    @property
    def key(self) -> str:
        """The same after a crash, so that the same job is found."""
        return f"run:{self.run.id}:{self.step}:{self.number}:{self.run.tries}.{self.attempt}"


class CallFailed(Exception):
    """The call has failed for good; `problem` says why."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail", ""))
        self.problem = problem


class Rights(Protocol):
    """What the owner of a run may do; see `orchestrator.access.rights`."""

    async def hold(self, owner: str | None, scope: Scope, path: str, body: bytes) -> Hold | None: ...


class Subruns(Protocol):
    """Runs of other workflows, as steps."""

    async def begin(self, attempt: Attempt, call: WorkflowCall) -> str:
        """The id of the run, which goes on or is new."""
        ...

    async def ended(self, run_id: str) -> RunRecord: ...

    async def stop(self, run_id: str) -> None:
        """Cancel it, if it has not ended."""
        ...

    async def find(self, attempt: Attempt) -> str | None: ...


class Performer:
    """`perform` makes an attempt, or goes on waiting for one that was made before."""

    def __init__(
        self, jobs: JobService, rights: Rights, subruns: Subruns, http_hosts: tuple[str, ...]
    ) -> None:
        self._jobs = jobs
        self._rights = rights
        self._subruns = subruns
        self._http_hosts = tuple(host.lower() for host in http_hosts)

    async def perform(self, attempt: Attempt, call: Any, begun: Begun) -> bytes:
        """The result as JSON; `begun` is told the id of the job, or run. Raises CallFailed and AiSembleError."""
        if attempt.kind is StepKind.WORKFLOW:
            return await self._run(attempt, call, begun)
        job = await self._jobs.find(attempt.key, attempt.run.owner) or await self._submit(attempt, call)
        await begun(job.id)
        return await self._result(await self._jobs.ended(job.id))

    async def abort(self, attempt: Attempt) -> None:
        """Stop what was begun, if anything was."""
        if attempt.kind is StepKind.WORKFLOW:
            run_id = await self._subruns.find(attempt)
            if run_id is not None:
                await self._subruns.stop(run_id)
            return
        job = await self._jobs.find(attempt.key, attempt.run.owner)
        if job is not None and not job.state.ended:
            try:
                await self._jobs.cancel(job.id, ANYBODY)
            except (JobHasEnded, JobNotFound):
                return

    async def _submit(self, attempt: Attempt, call: Any) -> Job:
        run, hold = attempt.run, None
        if attempt.kind is StepKind.HTTP:
            made, body = self._outward(attempt, _checked(HttpCall, call))
        else:
            service, path = PATHS[attempt.kind]
            body = orjson.dumps(call)
            hold = await self._rights.hold(run.owner, SCOPES[attempt.kind], path, body)
            made = Call(service, "POST", path, _JSON, run.request_id, attempt.key)
        headers = {**made.headers, "content-length": str(len(body))}
        sent = Call(made.service, made.method, made.path, headers, run.request_id, attempt.key)
        return await self._jobs.submit(sent, _one(body), Asker(run.owner, sees_all=False), hold)

    def _outward(self, attempt: Attempt, call: HttpCall) -> tuple[Call, bytes]:
        """Raises HostNotListed."""
        if not is_listed(call.url, self._http_hosts):
            raise HostNotListed(f"{call.url[:200]} is not of a host that steps may call")
        headers = {name.lower(): value for name, value in call.headers.items()}
        if not all(map(_HEADER_NAME.fullmatch, headers)) or any(map(_UNWRITABLE.search, headers.values())):
            raise BadReference("A header has a name that is none, or a control character in its value")
        has_body = "json_body" in call.model_fields_set
        kind = {"content-type": "application/json"} if has_body else {}
        body = orjson.dumps(call.json_body) if has_body else b""
        return Call(OUTWARD, call.method, call.url, {**kind, **headers}, attempt.run.request_id), body

    async def _result(self, job: Job) -> bytes:
        if job.state is JobState.CANCELLED:
            raise StepCancelled(f"The job {job.id} of the step was cancelled")
        if job.state is not JobState.SUCCEEDED:
            raise CallFailed(_document(job.problem))
        kind = (job.result_type or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise StepResultNotJson(f"The answer is `{kind}`")
        if (job.result_bytes or 0) > MOST_OF_A_STEP:
            raise StepResultTooLarge(
                f"It has {job.result_bytes:,} bytes; a step has at most {MOST_OF_A_STEP:,}"
            )
        result = await self._jobs.result(job.id, ANYBODY)
        return b"".join([piece async for piece in result.pieces])

    async def _run(self, attempt: Attempt, call: Any, begun: Begun) -> bytes:
        run_id = await self._subruns.find(attempt)
        if run_id is None:
            run_id = await self._subruns.begin(attempt, _checked(WorkflowCall, call))
        await begun(run_id)
        run = await self._subruns.ended(run_id)
        if run.state is not RunState.SUCCEEDED:
            why = (run.problem or {}).get("detail", run.reason)
            raise SubrunFailed(f"The run {run.id} of {run.workflow} is {run.state}: {why}")
        return (run.outputs or "{}").encode()


def is_listed(url: str, hosts: tuple[str, ...]) -> bool:
    """Whether the host of a URL is one of these, with its port if they name one."""
    try:
        parsed = URL(url.strip())
        host, port = (parsed.host or "").lower().rstrip("."), parsed.port
    except ValueError:
        return False
    for listed in hosts:
        name, _, wanted = listed.rpartition(":") if listed.rpartition(":")[2].isdigit() else (listed, "", "")
        fits = (
            host.endswith(name[1:]) and host != name[2:]
            if name.startswith("*.")
            else host == name.strip("[]")
        )
        if fits and (not wanted or str(port) == wanted):
            return True
    return False


def _checked(model: type[Any], call: Any) -> Any:
    """The call with its references replaced, which may not be what it has to be. Raises BadReference."""
    try:
        return model.model_validate(call)
    except ValueError as error:
        raise BadReference(f"The call cannot be made: {error}".partition("For further")[0]) from error


def _document(problem: Problem | None) -> dict[str, Any]:
    return problem.model_dump(mode="json", exclude_none=True) if problem else {}


async def _one(piece: bytes) -> AsyncIterator[bytes]:
    yield piece


NOT_NOW = (429, 503, 507)


async def patiently(work: Callable[[], Awaitable[bytes]]) -> bytes:
    """Again as long as there is no room for it yet. Raises everything else."""
    tries = 0
    while True:
        try:
            return await work()
        except AiSembleError as error:
            if error.status not in NOT_NOW:
                raise
            tries += 1
            await asyncio.sleep(min(60.0, error.retry_after or 2.0 ** min(tries, 6)))
