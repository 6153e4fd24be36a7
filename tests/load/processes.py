"""Servers under test as processes on chosen cores, ended by their ids."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

SERVER_CORE, CLIENT_CORE = 0, 1
DEADLINE_S = 90


@contextmanager
def running(
    command: Sequence[str], port: int, *, log: Path, core: int | None, variables: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """The started process once its port answers; its whole group is ended afterwards."""
    words = ["taskset", "-c", str(core), *command] if core is not None else list(command)
    with log.open("ab") as output:
        process = subprocess.Popen(
            words, stdout=output, stderr=output, env={**os.environ, **variables}, start_new_session=True
        )
    try:
        _wait_for_port(port, process, log)
        yield process
    finally:
        _end(process)


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not listen on {port}:\n{log.read_text()[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return
