"""The service's side of the workers: one fresh process per job, killed when it is late or not wanted."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from ai_semble.errors import AiSembleError, DeadlineExceeded
from ai_semble.logs import get_logger
from data_processor.errors import MemoryLimitExceeded, OperationCrashed, ResultTooLarge
from data_processor.workers import messages
from data_processor.workers.failures import describe, restore
from data_processor.workers.jobs import MIB, Answer, Job
from data_processor.workers.nursery_process import End, NurseryProcess

log = get_logger(__name__)
GONE_S = 10
_BROKEN = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT)
_BESIDE_ROWS = 64 * MIB  # for what an answer has beside its rows: columns, findings

Respond = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Answers a worker's question (`{"dataset": name}`); raises AiSembleError, which the worker gets."""


class Ticket:
    """A running job's handle: `cancel` may be called from any thread, at any time, also before it starts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kill: Callable[[], None] | None = None
        self.cancelled = False
        self._begun = False
        self._ended = threading.Event()

    def cancel(self) -> None:
        with self._lock:
            self.cancelled = True
            if self._kill:
                self._kill()

    def wait(self) -> None:
        """Until its process, if it has had one, is gone."""
        if self._begun:
            self._ended.wait(GONE_S)

    def begin(self) -> None:
        self._begun = True

    def end(self) -> None:
        self._ended.set()

    def started(self, kill: Callable[[], None]) -> None:
        with self._lock:
            self._kill = kill
            if self.cancelled:
                kill()


@dataclass(frozen=True)
class _Worker:
    """A process that waits for a job, or does it."""

    name: str
    nursery: NurseryProcess
    connection: socket.socket
    ended: End

    def kill(self) -> None:
        self.nursery.kill(self.name)


class Workers:
    """Runs each job in a process of its own, forked from a nursery that is started again if it should die.

    After the first job one worker is kept ready, with its database open, so that the next job need not wait for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._nursery: NurseryProcess | None = None
        self._spare: _Worker | None = None
        self._numbers = count(1)

    def start(self) -> None:
        """Start the nursery now, so that the first job need not wait for its imports."""
        with self._lock:
            self._living_nursery()

    def close(self) -> None:
        """End the nursery and with it every worker."""
        with self._lock:
            if self._spare:
                self._spare.connection.close()
            if self._nursery:
                self._nursery.close()
            self._spare = self._nursery = None

    def run(self, job: Job, respond: Respond, ticket: Ticket) -> Answer:
        """Do a job in a process of its own; blocks. Raises the error that the worker found,
        DeadlineExceeded, OperationCrashed, MemoryLimitExceeded."""
        ticket.begin()
        try:
            worker = self._take()
            ticket.started(worker.kill)
            return _work(worker, job, respond)
        finally:
            ticket.end()
            self._keep_one_ready()

    def _take(self) -> _Worker:
        with self._lock:
            spare, self._spare = self._spare, None
            if spare is not None and not spare.ended.happened.is_set():
                return spare
            if spare is not None:
                spare.connection.close()
            return self._fork()

    def _keep_one_ready(self) -> None:
        with self._lock:
            if self._nursery is not None and self._spare is None:
                self._spare = self._fork()

    def _fork(self) -> _Worker:
        nursery = self._living_nursery()
        name = f"w{next(self._numbers)}"
        ours, theirs = socket.socketpair()
        with theirs:
            return _Worker(name, nursery, ours, nursery.fork(name, theirs.fileno()))

    def _living_nursery(self) -> NurseryProcess:
        if self._nursery is not None and not self._nursery.alive:
            log.error("nursery_died")
            self._nursery.close()
            self._nursery = None
        if self._nursery is None:
            self._nursery = NurseryProcess()
        return self._nursery


def _work(worker: _Worker, job: Job, respond: Respond) -> Answer:
    with worker.connection:
        try:
            answer = _converse(worker.connection, job, respond)
        except messages.Disconnected:
            raise _died(worker.ended, job) from None
        except BaseException:
            worker.kill()
            # Whoever asked removes the folder next, and nobody may be writing there.
            worker.ended.happened.wait(GONE_S)
            raise
        worker.kill()  # it has no more to do, and freeing its memory can take a while
        if _leaves_files(job, answer) and not worker.ended.happened.wait(GONE_S):
            raise OperationCrashed("The process did not end, so its files may still change")
        return answer


def _leaves_files(job: Job, answer: Answer) -> bool:
    """Whether the service goes on with files of the worker, which must not change from then on."""
    return job.kind != "process" or bool(answer.facts["inspected"]) or "output" in answer.facts


def _converse(connection: socket.socket, job: Job, respond: Respond) -> Answer:
    """Send the job, answer the worker's questions, return its answer."""
    deadline = time.monotonic() + job.limits.timeout_s
    most = job.limits.max_answer + _BESIDE_ROWS
    connection.settimeout(job.limits.timeout_s)
    try:
        messages.send(connection, job.header(), job.body)
        while True:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            header, body = messages.receive(connection, most)
            match header["is"]:
                case "question":
                    messages.send(connection, _response(respond, header["question"]))
                case "answer":
                    return Answer(header["facts"], body)
                case _:
                    raise _error_of(header)
    except messages.TooLong:
        raise ResultTooLarge(f"The answer is longer than {most} bytes") from None
    except TimeoutError:
        raise DeadlineExceeded(
            f"The operation was stopped after {job.limits.timeout_s:g} s",
            hint="Ask for less at once, or raise `data.timeout_s` in the configuration.",
        ) from None


def _response(respond: Respond, question: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"response": respond(question)}
    except AiSembleError as error:
        return {"error": describe(error)}


def _error_of(header: Mapping[str, Any]) -> AiSembleError:
    if defect := header.get("defect"):
        log.error("operation_failed", traceback=defect)
        return OperationCrashed(f"A defect in the operation: {defect.strip().splitlines()[-1]}")
    return restore(header["error"])


def _died(ended: End, job: Job) -> AiSembleError:
    """Why a worker that gave no answer is gone."""
    ended.happened.wait(GONE_S)
    # By the kernel; or by itself, since some libraries do not look whether they were given memory.
    if ended.signal == signal.SIGKILL or (ended.signal in _BROKEN and ended.memory > job.limits.memory):
        return MemoryLimitExceeded(f"The operation needed more than {job.limits.memory} bytes of memory")
    if ended.signal == signal.SIGXCPU:
        return DeadlineExceeded("The operation was stopped after its share of processor time")
    name = signal.Signals(ended.signal).name if ended.signal else "an exit"
    return OperationCrashed(f"The process ended by {name} before it had an answer")
