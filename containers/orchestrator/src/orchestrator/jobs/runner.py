"""Does what one dispatch of a job is: makes its call once, and records what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from ai_semble.context import adopt_request_id
from ai_semble.errors import AiSembleError, DeadlineExceeded, InternalError
from ai_semble.logs import get_logger
from ai_semble.schemas.jobs import JobReason, JobState
from orchestrator.access.meter import Meter
from orchestrator.jobs import verdicts
from orchestrator.jobs.bills import Bills
from orchestrator.jobs.bodies import Bodies
from orchestrator.jobs.calls import Answer, Call, Caller
from orchestrator.jobs.moves import Ending, Postponement
from orchestrator.jobs.records import REQUEST, RESULT, Change, JobRecord, StoredBody
from orchestrator.jobs.slots import Slots, back_off
from orchestrator.jobs.store import JobStore
from orchestrator.jobs.surely import surely
from orchestrator.jobs.verdicts import Again, Failure, Patience

log = get_logger(__name__)
REPORT_EVERY_S = 1.0
_MOST_OF_A_PROBLEM = 64 * 1024


@dataclass(frozen=True)
class Success:
    """The service answered, and the answer is kept."""

    result: StoredBody
    content_type: str


Verdict = Success | Failure | Again
Move = Callable[[], Awaitable[Change | None]]


class _Presence:
    """A dispatch that this process has in hand."""

    def __init__(self) -> None:
        self.abort_asked = False
        self._attempt: asyncio.Task[Verdict] | None = None

    def abort(self) -> None:
        self.abort_asked = True
        if self._attempt is not None:
            self._attempt.cancel()

    async def hold(self, attempt: asyncio.Task[Verdict]) -> Verdict | None:
        """The attempt's verdict; None when it was aborted."""
        self._attempt = attempt
        if self.abort_asked:
            attempt.cancel()
        try:
            return await attempt
        except asyncio.CancelledError:
            if self.abort_asked and attempt.cancelled() and not _being_cancelled():
                return None
            raise


class Runner:
    """`announce` is told every change; `again` gives a postponed job back to the engine."""

    def __init__(
        self,
        store: JobStore,
        bodies: Bodies,
        caller: Caller,
        *,
        workers: int,
        timeout_s: float,
        patience: Patience,
        announce: Callable[[Change], None],
        progressed: Callable[[str], None],
        again: Callable[[JobRecord], None],
        bills: Bills,
    ) -> None:
        self._store = store
        self._bodies = bodies
        self._caller = caller
        self._timeout_s = timeout_s
        self._patience = patience
        self._announce = announce
        self._progressed = progressed
        self._again = again
        self._bills = bills
        self._slots = Slots(workers, asyncio.get_running_loop().time)
        self._present: dict[tuple[str, int], _Presence] = {}

    async def run(self, job_id: str, dispatch: int, service: str) -> None:
        """One dispatch, from its turn to its record. Cancelled when the orchestrator stops."""
        key = (job_id, dispatch)
        presence = self._present[key] = _Presence()
        try:
            async with self._slots.turn(service):
                job = await self._begin(job_id, dispatch)
                move = await self._work(job, presence) if job else None
            if move is not None:  # the worker is free for the next job while this one is recorded
                await self._record(move)
        finally:
            del self._present[key]

    def abort(self, job: JobRecord) -> None:
        """Cut the call of a job that is being cancelled, upon which its service stops working."""
        if presence := self._present.get((job.id, job.dispatch)):
            presence.abort()

    def has(self, job_id: str, dispatch: int) -> bool:
        return (job_id, dispatch) in self._present

    async def _begin(self, job_id: str, dispatch: int) -> JobRecord | None:
        """The job when it is to be done now; None when it was cancelled, or failed too often."""
        most = self._patience.max_breaks
        change = await surely(lambda: self._store.begin(job_id, dispatch, most), "job_not_written")
        if change is None:
            return None
        self._announce(change)
        return change.job if change.job.state is JobState.RUNNING else None

    async def _work(self, job: JobRecord, presence: _Presence) -> Move:
        try:
            verdict = await presence.hold(asyncio.create_task(self._attempt(job)))
        except asyncio.CancelledError:
            await self._store.release(job.id, job.dispatch)
            raise
        return self._decide(job, verdict)

    async def _record(self, move: Move) -> None:
        change = await surely(move, "job_not_written")
        if change is None:
            return
        self._announce(change)
        if change.job.state is JobState.WAITING:
            self._again(change.job)

    async def _attempt(self, job: JobRecord) -> Verdict:
        adopt_request_id(job.request_id)
        meter = Meter()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._call(job, meter)
        except TimeoutError:
            late = DeadlineExceeded(f"{job.service} took longer than {self._timeout_s:g} s")
            return verdicts.judge_error(late)
        except AiSembleError as error:
            meter.fail(error)
            return verdicts.judge_error(error)
        except Exception as error:  # the top of a job: a defect ends this job, not the orchestrator
            log.exception("job_crashed", job=job.id)
            defect = verdicts.judge_error(InternalError(type(error).__name__))
            return Failure(JobReason.INTERNAL, defect.problem)
        finally:
            self._bills.pay(job.id, meter.used())

    async def _call(self, job: JobRecord, meter: Meter) -> Verdict:
        body, size = await self._request(job)
        headers = {**job.headers, "content-length": str(size), "idempotency-key": job.id}
        call = Call(job.service, job.method, job.path, headers, job.request_id)
        async with self._caller.send(call, body, timeout_s=self._timeout_s) as answer:
            meter.begin(answer.status)
            if answer.status >= 400:
                words = await _beginning(answer.body)
                meter.feed(words)
                return verdicts.judge_answer(job.service, answer.status, answer.headers, words)
            result = await self._bodies.receive(job.id, RESULT, self._reporting(job, answer, meter))
            kind = answer.headers.get("content-type", "application/octet-stream")
            return Success(result, kind)

    async def _request(self, job: JobRecord) -> tuple[AsyncIterator[bytes], int]:
        content = await self._store.body(job.id, REQUEST)
        if content is not None:
            return _one_piece(content), len(content)
        size = await asyncio.to_thread(self._bodies.size, job.id, REQUEST)
        return self._bodies.read(job.id, REQUEST), size

    async def _reporting(self, job: JobRecord, answer: Answer, meter: Meter) -> AsyncIterator[bytes]:
        """The answer's pieces, with a word about them once a second."""
        clock = asyncio.get_running_loop().time
        whole = int(answer.headers.get("content-length", 0))
        received, reported = 0, clock()
        async for piece in answer.body:
            received += len(piece)
            meter.feed(piece)
            if clock() - reported >= REPORT_EVERY_S:
                reported = clock()
                fraction = min(1.0, received / whole) if whole else None
                await self._report(job, fraction, f"{received:,} bytes received")
            yield piece

    async def _report(self, job: JobRecord, fraction: float | None, message: str) -> None:
        if await self._store.report(job.id, job.dispatch, fraction, message):
            self._progressed(job.id)

    def _decide(self, job: JobRecord, verdict: Verdict | None) -> Move:
        """The move that a verdict asks for; None is an aborted call."""
        match verdict:
            case None:
                return lambda: self._store.confirm_cancel(job.id)
            case Success():
                self._slots.answered(job.service)
                kept, kind = verdict.result, verdict.content_type
                ending = Ending(JobState.SUCCEEDED, JobReason.ANSWERED, result=kept, result_type=kind)
                return self._ending(job, ending)
            case Failure():
                return self._failing(job, verdict)
            case Again():
                return self._postponing(job, verdict)

    def _ending(self, job: JobRecord, ending: Ending) -> Move:
        return lambda: self._store.end(job.id, job.dispatch, ending)

    def _failing(self, job: JobRecord, failure: Failure) -> Move:
        detail = str(failure.problem.get("detail", ""))
        return self._ending(job, Ending(JobState.FAILED, failure.reason, detail, dict(failure.problem)))

    def _postponing(self, job: JobRecord, again: Again) -> Move:
        now = self._store.clock()
        if failure := verdicts.lose_patience(again, job, now, self._patience):
            return self._failing(job, failure)
        wait = back_off(job.attempts) if again.broke else self._slots.failed(job.service, again.retry_after)
        detail = str(again.problem.get("detail", ""))
        why = Postponement(again.reason, detail, now + wait, again.broke)
        return lambda: self._store.postpone(job.id, job.dispatch, why)


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _one_piece(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _beginning(pieces: AsyncIterator[bytes]) -> bytes:
    held = bytearray()
    async for piece in pieces:
        held += piece
        if len(held) > _MOST_OF_A_PROBLEM:
            break
    return bytes(held)
