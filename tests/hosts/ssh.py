"""Reaching a host: commands, files, and a port of its loopback address."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection

from tests.support.serving import free_port

OPTIONS = (
    "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
    "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=30",
)  # fmt: skip


class HostError(RuntimeError):
    """A command on a host failed. The text is what it said."""


@dataclass(frozen=True)
class Ssh:
    """The way to a host at an address, with the key of this run."""

    address: str
    key: Path

    def run(
        self,
        command: str,
        *,
        user: str,
        check: bool = True,
        timeout: float = 120,
        input: str | bytes | None = None,
        terminal: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a line of shell in a login of the user's own. Raises HostError unless it ends with 0 in time."""
        given = input.encode() if isinstance(input, str) else input
        words = ["ssh", *self._options(), *(["-tt"] if terminal else []), f"{user}@{self.address}", command]
        try:
            done = subprocess.run(
                words,
                input=given if given is not None else b"",
                capture_output=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            said = _text(error.stdout) + _text(error.stderr)
            raise HostError(f"not within {timeout} s: {command}\n{said}") from error
        answer = subprocess.CompletedProcess(command, done.returncode, _text(done.stdout), _text(done.stderr))
        if check and answer.returncode:
            raise HostError(f"status {answer.returncode}: {command}\n{answer.stdout}{answer.stderr}")
        return answer

    def put(self, local: Path, remote: str, *, user: str) -> None:
        self._copy(str(local), f"{user}@{self.address}:{remote}")

    def get(self, remote: str, local: Path, *, user: str) -> None:
        self._copy(f"{user}@{self.address}:{remote}", str(local))

    @contextmanager
    def tunnel(self, port: int, *, user: str) -> Iterator[int]:
        """A port of ours that leads to a port of the host's loopback address."""
        ours = free_port()
        forward = f"127.0.0.1:{ours}:127.0.0.1:{port}"
        words = ["ssh", *self._options(), "-o", "ExitOnForwardFailure=yes", "-N", "-L", forward]
        with subprocess.Popen([*words, f"{user}@{self.address}"], stdin=subprocess.DEVNULL) as tunnel:
            try:
                _wait_for(ours, tunnel)
                yield ours
            finally:
                tunnel.terminate()

    def _copy(self, source: str, target: str) -> None:
        words = ["scp", "-q", "-r", "-p", *self._options(), source, target]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode:
            raise HostError(f"could not copy {source} to {target}: {done.stderr}")

    def _options(self) -> tuple[str, ...]:
        return ("-i", str(self.key), *OPTIONS)


def _text(output: bytes | None) -> str:
    return (output or b"").decode(errors="replace")


def _wait_for(port: int, tunnel: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and tunnel.poll() is None:
        try:
            create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise HostError("the tunnel to the host did not open")
