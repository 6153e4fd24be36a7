"""The process that workers are forked from: everything is imported here once, and no data is ever seen.

`python -m data_processor.workers.nursery FD` serves one service over the socket FD, a message each:
  in   {"fork": id} with the worker's end of a socket    {"kill": id}
  out  {"ready": true}    {"ended": id, "signal": n or 0, "memory": the most bytes that it had}
It ends when the service does. It has one thread and no secrets: its environment is bare.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from importlib import import_module
from typing import NoReturn

import orjson

from ai_semble import programs
from data_processor.workers import sandbox

MAX_MESSAGE = 256


def main() -> NoReturn:
    control = socket.socket(fileno=int(sys.argv[1]))
    # Here and not at import, since the service reads this module too and is to stay small.
    child = import_module("data_processor.workers.child")

    child.warm_up()
    if why_not := programs.give_up():
        sys.stderr.write(f"programs are not given up: {why_not}\n")
    gc.collect()
    gc.freeze()
    control.send(orjson.dumps({"ready": True}))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        Nursery(control, child.run).serve()
    os._exit(0)  # DuckDB's bindings complain on an ordinary exit


class Nursery:
    """Forks, kills and reaps workers until the service goes away."""

    def __init__(self, control: socket.socket, work: Callable[[socket.socket], None]) -> None:
        self._control = control
        self._work = work
        self._workers: dict[int, str] = {}

    def serve(self) -> None:
        wakeup, wakeup_write = socket.socketpair()
        wakeup.setblocking(False)
        wakeup_write.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wakeup_write.fileno(), warn_on_full_buffer=False)
        selector = selectors.DefaultSelector()
        selector.register(self._control, selectors.EVENT_READ)
        selector.register(wakeup, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is wakeup:
                    wakeup.recv(4096)
                    self._reap()
                elif not self._obey():
                    return

    def _obey(self) -> bool:
        """Do what the next message says; False when the service has gone."""
        message, descriptors, _, _ = socket.recv_fds(self._control, MAX_MESSAGE, 1)
        if not message:
            return False
        order = orjson.loads(message)
        if "fork" in order:
            self._fork(order["fork"], descriptors[0])
        else:
            self._kill(order["kill"])
        return True

    def _fork(self, worker: str, descriptor: int) -> None:
        nursery = os.getpid()
        pid = os.fork()
        if pid == 0:
            sandbox.die_with(nursery)
            self._become_worker(descriptor)
        os.close(descriptor)
        self._workers[pid] = worker

    def _become_worker(self, descriptor: int) -> NoReturn:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._control.close()
        status = 1
        try:
            self._work(socket.socket(fileno=descriptor))
            status = 0
        finally:
            os._exit(status)

    def _kill(self, worker: str) -> None:
        for pid, name in self._workers.items():
            if name == worker:
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while self._workers:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            by_signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            memory = usage.ru_maxrss * 1024
            ended = {"ended": self._workers.pop(pid), "signal": by_signal, "memory": memory}
            self._control.send(orjson.dumps(ended))


if __name__ == "__main__":
    main()
