"""Starts and stops the one supervisor of an environment."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ai_semble.config import Config
from ai_semble.embedded import preflight
from ai_semble.embedded.errors import StartFailed, StopFailed
from ai_semble.embedded.lock import alone
from ai_semble.embedded.process import kill_marked, terminate
from ai_semble.embedded.supervise import lock_of
from ai_semble.embedded.survey import Survey, survey
from ai_semble.paths import Paths

_POLL_S = 0.05
_SUPERVISOR_START_S = 20


def start(config: Config) -> bool:
    """Make sure that a supervisor runs; False when one ran already. Two starts at once are one start."""
    paths = config.paths()
    paths.make()
    with alone(paths.run_dir / "start.lock"):
        if lock_of(paths).holder() is not None:
            return False
        kill_marked(paths.state_dir)  # what a killed supervisor may have left behind
        preflight.check(config)
        _spawn(paths)
        return True


def stop(config: Config) -> bool:
    """End the supervisor, its services and everything that these started; False when nothing ran."""
    paths = config.paths()
    if not paths.run_dir.exists():
        return False
    lock = lock_of(paths)
    with alone(paths.run_dir / "start.lock"):
        pid = lock.holder()
        if pid is not None:
            # Two rounds of stopping (the door, then the others), and a second for the supervisor itself.
            patience_s = 2 * (config.server.shutdown_grace_s + 3) + 1
            terminate(pid, lambda: lock.holder() == pid, patience_s)
        left = kill_marked(paths.state_dir)
    if left:
        raise StopFailed(f"Processes {', '.join(map(str, left))} cannot be ended")
    return pid is not None


def wait_until_settled(config: Config, look: Callable[[Survey], None]) -> Survey:
    """Ask until every service is ready or cannot become so by itself, or the time is over."""
    deadline = time.monotonic() + config.embedded.ready_timeout_s
    while True:
        found = survey(config)
        look(found)
        if found.pid is None:
            raise StartFailed("The supervisor ended while the services were starting", hint=_log_hint(config))
        if found.has_settled or time.monotonic() > deadline:
            return found
        time.sleep(4 * _POLL_S)


def _spawn(paths: Paths) -> None:
    """Start the supervisor as a process of its own, and wait until it holds the lock."""
    log = paths.log_dir / "supervisor.log"
    with log.open("wb") as output:
        # -P: a file in the current folder must not be taken for a module.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ai_semble.embedded"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    lock, deadline = lock_of(paths), time.monotonic() + _SUPERVISOR_START_S
    while lock.holder() != process.pid:
        if process.poll() is not None or time.monotonic() > deadline:
            with suppress(ProcessLookupError):
                process.kill()
            raise StartFailed("The supervisor did not start: " + _last_line(log))
        time.sleep(_POLL_S)
    process.returncode = 0  # it lives on by itself: no warning that it was not waited for


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else f"it said nothing ({log})"


def _log_hint(config: Config) -> str:
    return f"Its last words are in {config.paths().log_dir / 'supervisor.log'}."
