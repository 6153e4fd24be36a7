"""The service's side of the workers: one fresh process per job, killed when it is late or not wanted."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import orjson

from ai_semble.errors import AiSembleError, DeadlineExceeded
from ai_semble.logs import get_logger
from data_processor.errors import MemoryLimitExceeded, OperationCrashed
from data_processor.workers import messages
from data_processor.workers.failures import describe, restore
from data_processor.workers.jobs import Answer, Job
from data_processor.workers.nursery import MAX_MESSAGE

log = get_logger(__name__)
START_S = 60
_GONE_S = 10
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH")

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
            self._ended.wait(_GONE_S)

    def begin(self) -> None:
        self._begun = True

    def end(self) -> None:
        self._ended.set()

    def started(self, kill: Callable[[], None]) -> None:
        with self._lock:
            self._kill = kill
            if self.cancelled:
                kill()


class Workers:
    """Runs jobs in processes forked from a nursery, which is started again if it should die."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._nursery: _NurseryProcess | None = None
        self._numbers = count(1)

    def start(self) -> None:
        """Start the nursery now, so that the first job need not wait for its imports."""
        self._living_nursery()

    def close(self) -> None:
        """End the nursery and with it every worker."""
        with self._lock:
            if self._nursery:
                self._nursery.close()
                self._nursery = None

    def run(self, job: Job, respond: Respond, ticket: Ticket) -> Answer:
        """Do a job in a process of its own; blocks. Raises the error that the worker found,
        DeadlineExceeded, OperationCrashed, MemoryLimitExceeded."""
        ticket.begin()
        try:
            return self._run(job, respond, ticket)
        finally:
            ticket.end()

    def _run(self, job: Job, respond: Respond, ticket: Ticket) -> Answer:
        worker = f"w{next(self._numbers)}"
        nursery = self._living_nursery()
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                ended = nursery.fork(worker, theirs.fileno())
            ticket.started(lambda: nursery.kill(worker))
            try:
                return _converse(ours, job, respond)
            except messages.Disconnected:
                raise _died(ended, job) from None
            finally:
                nursery.kill(worker)
                ended.happened.wait(_GONE_S)

    def _living_nursery(self) -> _NurseryProcess:
        with self._lock:
            if self._nursery is not None and not self._nursery.alive:
                log.error("nursery_died")
                self._nursery.close()
                self._nursery = None
            if self._nursery is None:
                self._nursery = _NurseryProcess()
            return self._nursery


def _converse(connection: socket.socket, job: Job, respond: Respond) -> Answer:
    """Send the job, answer the worker's questions, return its answer."""
    deadline = time.monotonic() + job.limits.timeout_s
    connection.settimeout(job.limits.timeout_s)
    try:
        messages.send(connection, job.header(), job.body)
        while True:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            header, body = messages.receive(connection)
            match header["is"]:
                case "question":
                    messages.send(connection, _response(respond, header["question"]))
                case "answer":
                    return Answer(header["facts"], body)
                case _:
                    raise _error_of(header)
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


def _died(ended: _End, job: Job) -> AiSembleError:
    """Why a worker that gave no answer is gone."""
    ended.happened.wait(_GONE_S)
    if ended.signal == signal.SIGKILL:  # by the kernel, out of memory
        return MemoryLimitExceeded(f"The operation needed more than {job.limits.memory} bytes of memory")
    if ended.signal == signal.SIGXCPU:
        return DeadlineExceeded("The operation was stopped after its share of processor time")
    name = signal.Signals(ended.signal).name if ended.signal else "an exit"
    return OperationCrashed(f"The process ended by {name} before it had an answer")


class _End:
    """That a worker ended, and by which signal (0 for none)."""

    def __init__(self) -> None:
        self.happened = threading.Event()
        self.signal = 0


class _NurseryProcess:
    """A running nursery."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sending = threading.Lock()
        self._ends: dict[str, _End] = {}
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "data_processor.workers.nursery", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                stdin=subprocess.DEVNULL,
                cwd="/",
            )
        self._control.settimeout(START_S)
        try:
            started = bool(self._control.recv(MAX_MESSAGE))
        except TimeoutError:
            started = False
        if not started:
            self.close()
            raise OperationCrashed("The process that operations are forked from did not start; see the log")
        self._control.settimeout(None)
        threading.Thread(target=self._listen, name="nursery", daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def fork(self, worker: str, descriptor: int) -> _End:
        ended = self._ends[worker] = _End()
        with self._sending:
            try:
                socket.send_fds(self._control, [orjson.dumps({"fork": worker})], [descriptor])
            except OSError:
                self._lost()
        return ended

    def kill(self, worker: str) -> None:
        if worker in self._ends:
            with self._sending:
                try:
                    self._control.send(orjson.dumps({"kill": worker}))
                except OSError:
                    self._lost()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)  # wakes the listener, which closing would not
        self._control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        try:
            while message := self._control.recv(MAX_MESSAGE):
                notice = orjson.loads(message)
                ended = self._ends.pop(notice["ended"])
                ended.signal = notice["signal"]
                ended.happened.set()
        except OSError:
            pass  # closed under us
        self._lost()

    def _lost(self) -> None:
        """The nursery is gone, and its workers with it (they die with their parent)."""
        for worker in list(self._ends):
            if ended := self._ends.pop(worker, None):
                ended.happened.set()
