"""What the supervisor asks of the operating system: processes that never outlive it, and ways to end them.

Every process of an environment carries a mark among its variables, so that what a killed supervisor left
behind is found by what it is, not by a number that may have a new owner.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

MARK = "AI_SEMBLE_SUPERVISED"
_PR_SET_PDEATHSIG = 1
_POLL_S = 0.02


def child_variables(variables: Mapping[str, str], state_dir: Path, threads: int) -> dict[str, str]:
    """The variables of a service process; what the user has set goes before ours.

    `threads` are the compute threads of one engine. Waiting threads must not spin: on a small machine they
    take the core from the service whose turn it is (a mixed load on a busy machine with two cores took 33 s
    with passive waiting, 130 s without). Two malloc arenas instead of sixteen saved 5 % of the memory.
    """
    ours = {
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
    }
    return {**ours, **variables, MARK: str(state_dir)}


def die_with_parent() -> Callable[[], None]:
    """For `preexec_fn`: the kernel kills the child as soon as this process is gone."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def arrange() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the arrangement
            os._exit(1)

    return arrange


def marked(state_dir: Path) -> Iterator[int]:
    """Every process that was started for the environment with this state folder."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid() and _has_mark(folder, state_dir):
            yield int(folder.name)


def _has_mark(folder: Path, state_dir: Path) -> bool:
    wanted = f"{MARK}={state_dir}".encode()
    try:
        return wanted in (folder / "environ").read_bytes().split(b"\0")
    except OSError:  # it ended meanwhile, or it is another user's
        return False


def kill_marked(state_dir: Path, patience_s: float = 5) -> list[int]:
    """Kill what is left of an environment whose supervisor is gone; returns what would not die."""
    deadline = time.monotonic() + patience_s
    while left := [pid for pid in marked(state_dir) if not _is_zombie(pid)]:
        if time.monotonic() > deadline:
            return left
        for pid in left:
            with suppress(ProcessLookupError), _pidfd(pid) as handle:
                if _has_mark(Path("/proc") / str(pid), state_dir):  # still the one that was found
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
        time.sleep(_POLL_S)
    return []


def signal_group(group: int, number: signal.Signals) -> None:
    """Signal a service and whatever it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def terminate(pid: int, is_right: Callable[[], bool], patience_s: float) -> bool:
    """Ask a process to end and wait; kill it when it takes too long. True when it ended by itself.

    `is_right` is asked once the process can no longer be mistaken for another of the same number.
    """
    with suppress(ProcessLookupError), _pidfd(pid) as handle:
        if not is_right():
            return True
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        if not _ended(handle, patience_s):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            _ended(handle, patience_s)
            return False
    return True


def _ended(handle: int, patience_s: float) -> bool:
    return bool(select.select([handle], [], [], patience_s)[0])


class _pidfd:  # noqa: N801 - reads as the function it stands for
    def __init__(self, pid: int) -> None:
        self._handle = os.pidfd_open(pid)

    def __enter__(self) -> int:
        return self._handle

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)


def _is_zombie(pid: int) -> bool:
    try:
        status = (Path("/proc") / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


def cores(affinity: Iterable[int] | None = None) -> int:
    """Cores that this process may use."""
    return len(set(affinity)) if affinity is not None else len(os.sched_getaffinity(0))
