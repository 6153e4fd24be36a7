"""How a call becomes a job: once, and on the disk before anybody is told so."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from weakref import WeakValueDictionary

from ai_semble.errors import BodyTooLarge, Overloaded
from orchestrator.jobs.askers import Asker
from orchestrator.jobs.bills import Deposit, Hold
from orchestrator.jobs.bodies import Bodies
from orchestrator.jobs.calls import Call
from orchestrator.jobs.errors import BadIdempotencyKey, IdempotencyKeyReused
from orchestrator.jobs.records import REQUEST, Change, JobRecord, NewJob, StoredBody, new_job_id
from orchestrator.jobs.store import JobStore
from orchestrator.jobs.tally import Tally

KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
# Made anew for each attempt. An answer is kept without its content encoding, so none is asked for.
_NOT_KEPT = ("content-length", "idempotency-key", "accept-encoding")


class Intake:
    """`accepted` is told every new job, with what is held for it."""

    def __init__(
        self,
        store: JobStore,
        bodies: Bodies,
        tally: Tally,
        *,
        max_queued: int,
        max_body_bytes: int,
        accepted: Callable[[Change, Deposit | None], None],
    ) -> None:
        self._store = store
        self._bodies = bodies
        self._tally = tally
        self._max_queued = max_queued
        self._max_body_bytes = max_body_bytes
        self._accepted = accepted
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def submit(
        self, call: Call, body: AsyncIterator[bytes], asker: Asker, hold: Hold | None
    ) -> JobRecord:
        """The new job, or the asker's own that has the call's idempotency key already, for which nothing is held.

        Raises Overloaded, BodyTooLarge, InsufficientStorage, BadIdempotencyKey, IdempotencyKeyReused, and
        what `body` and `hold` raise; then nothing is left behind.
        """
        if call.idempotency_key is not None and not KEY.fullmatch(call.idempotency_key):
            raise BadIdempotencyKey("The Idempotency-Key is not 1 to 255 printable ASCII characters")
        key = of_owner(asker.owner, call.idempotency_key)
        announced = _announced_length(call)
        if announced > self._max_body_bytes:
            raise _too_large(self._max_body_bytes)
        bounded = _at_most(self._max_body_bytes, body)
        if known := await self._known(key):
            return await self._again(known, call, bounded)
        if self._tally.pending() >= self._max_queued:
            raise Overloaded(f"{self._max_queued} jobs are waiting already", retry_after=10)
        self._bodies.room.check(max(1, announced))
        job_id = new_job_id(self._store.clock())
        request = await self._bodies.receive(job_id, REQUEST, bounded)
        new = NewJob(
            id=job_id,
            service=call.service,
            method=call.method,
            path=call.path,
            headers={name: value for name, value in call.headers.items() if name not in _NOT_KEPT},
            request_id=call.request_id,
            idempotency_key=key,
            fingerprint=_fingerprint(call, request.digest),
            owner=asker.owner,
        )
        # From here on it is decided without the client, even when it leaves meanwhile.
        return await asyncio.shield(asyncio.create_task(self._accept(new, request, hold)))

    async def of_key(self, key: str, owner: str | None) -> JobRecord | None:
        """The job that was made with this owner's idempotency key."""
        return await self._known(of_owner(owner, key))

    async def _again(self, known: JobRecord, call: Call, body: AsyncIterator[bytes]) -> JobRecord:
        """The job that was there when the request came, which needs no room.

        Raises IdempotencyKeyReused, and Overloaded when it is there no more: the next try becomes a job.
        """
        digest = hashlib.sha256()
        async for piece in body:
            digest.update(piece)
        _check_same(known, _fingerprint(call, digest.hexdigest()))
        if job := await self._store.get(known.id):
            return job
        raise Overloaded("The job of this key expired while the request came", retry_after=1)

    async def _accept(self, new: NewJob, request: StoredBody, hold: Hold | None) -> JobRecord:
        deposit: Deposit | None = None
        try:
            async with self._turn(new.idempotency_key):
                outcome: Change | JobRecord | None = await self._known(new.idempotency_key)
                if outcome is None:
                    deposit = hold() if hold else None
                    held = replace(new, tokens_held=deposit.amount if deposit else None)
                    outcome = await self._store.accept(held, request, self._max_queued)
        except BaseException:
            self._drop(new.id, deposit)
            raise
        if isinstance(outcome, Change):
            self._accepted(outcome, deposit)
            return outcome.job
        self._drop(new.id, deposit)
        _check_same(outcome, new.fingerprint)
        return outcome

    async def _known(self, idempotency_key: str | None) -> JobRecord | None:
        return None if idempotency_key is None else await self._store.of_key(idempotency_key)

    def _turn(self, idempotency_key: str | None) -> asyncio.Lock:
        """Lets submissions with one key in one after the other, so that only the first holds tokens."""
        if idempotency_key is None:
            return asyncio.Lock()
        return self._turns.setdefault(idempotency_key, asyncio.Lock())

    def _drop(self, job_id: str, deposit: Deposit | None) -> None:
        """There is no such job."""
        self._bodies.discard(job_id)
        if deposit is not None:
            deposit.settle(0)


def of_owner(owner: str | None, key: str | None) -> str | None:
    """The key as it is kept; a space is in none, so one owner's never is another's."""
    return f"{owner} {key}" if owner and key else key


def _announced_length(call: Call) -> int:
    """0 when it is not announced."""
    announced = call.headers.get("content-length", "")
    return int(announced) if announced.isdecimal() else 0


async def _at_most(most: int, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body. Raises BodyTooLarge at the piece that makes it longer than `most` bytes."""
    received = 0
    async for piece in body:
        received += len(piece)
        if received > most:
            raise _too_large(most)
        yield piece


def _too_large(most: int) -> BodyTooLarge:
    hint = "Upload the file as a dataset first, or raise `data.max_upload_bytes` in the configuration."
    return BodyTooLarge(f"The body is longer than {most} bytes", hint=hint)


def _check_same(job: JobRecord, fingerprint: str) -> None:
    """Raises IdempotencyKeyReused when the job was made by another request."""
    if job.fingerprint != fingerprint:
        raise IdempotencyKeyReused(f"The key was sent with another request before, for job {job.id}")


def _fingerprint(call: Call, digest: str) -> str:
    """The same for the same request: what is called, with which body, to be answered in which form."""
    kinds = (call.headers.get("content-type", ""), call.headers.get("accept", ""))
    parts = (call.service, call.method, call.path, *kinds, digest)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
