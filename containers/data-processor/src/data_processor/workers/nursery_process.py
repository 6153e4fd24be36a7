"""The service's hold on the nursery: start it, have workers forked, killed, and hear of their end."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading

import orjson

from data_processor.errors import OperationCrashed
from data_processor.workers.nursery import MAX_MESSAGE

START_S = 60
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH")


class End:
    """That a worker ended, by which signal (0 for none), and the most memory that it had, in bytes."""

    def __init__(self) -> None:
        self.happened = threading.Event()
        self.signal = 0
        self.memory = 0


class NurseryProcess:
    """A running nursery."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sending = threading.Lock()
        self._ends: dict[str, End] = {}
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

    def fork(self, worker: str, descriptor: int) -> End:
        ended = self._ends[worker] = End()
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
                ended.signal, ended.memory = notice["signal"], notice["memory"]
                ended.happened.set()
        except OSError:
            pass  # closed under us
        self._lost()

    def _lost(self) -> None:
        """The nursery is gone, and its workers with it (they die with their parent)."""
        for worker in list(self._ends):
            if ended := self._ends.pop(worker, None):
                ended.happened.set()
