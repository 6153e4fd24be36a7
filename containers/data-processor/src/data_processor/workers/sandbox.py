"""What a worker takes from itself before it touches any data.

A worker can read the interpreter and its libraries, and read and write the folder of its job; it can open no
TCP connection. That is Landlock's work, which needs no privileges. On a kernel without it DuckDB's own
settings (`engine/connection.py`) are what keeps SQL in, as they do everywhere.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Iterable
from pathlib import Path

from data_processor.workers.jobs import MIB, Limits

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_GET_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SIGKILL = 9

_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_FILE_RIGHTS_BY_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}
_IOCTL_SINCE_5 = 1 << 15
_TCP_BIND_AND_CONNECT_SINCE_4 = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS_SINCE_6 = 0b11


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def enter(folder: Path, limits: Limits) -> None:
    """Give up everything that a job in this folder does not need. Cannot be undone."""
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        raise RuntimeError("Landlock holds for the calling thread and its children, and there are others")
    libc = ctypes.CDLL(None, use_errno=True)
    limit_resources(limits)
    # Only now: a process that may not be dumped has a /proc/self that belongs to root.
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    confine(libc, read=python_folders(), write=[folder])


def die_with(parent: int) -> None:
    """End this process when its parent, whose id is given, does; also if it did already."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def limit_resources(limits: Limits) -> None:
    """A backstop behind DuckDB's own limits: the kernel takes this process before it takes the service."""
    Path("/proc/self/oom_score_adj").write_text("1000")
    cpu_s = int(limits.timeout_s * (limits.threads + 1)) + 10
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, longest = resource.getrlimit(resource.RLIMIT_FSIZE)
    if longest == resource.RLIM_INFINITY or longest > limits.longest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.longest_file, limits.longest_file))
    most = 2 * limits.memory + 1024 * MIB  # address space, of which much is never touched
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def landlock_version(libc: ctypes.CDLL) -> int:
    """0 where the kernel has none, or where a container's seccomp filter refuses it."""
    return max(0, int(libc.syscall(_CREATE_RULESET, None, 0, _GET_VERSION)))


def confine(libc: ctypes.CDLL, *, read: Iterable[Path], write: Iterable[Path]) -> bool:
    """Whether files outside these folders, and TCP, are out of reach from now on."""
    version = landlock_version(libc)
    if version == 0:
        return False
    rights = _FILE_RIGHTS_BY_VERSION[min(version, 3)] | (_IOCTL_SINCE_5 if version >= 5 else 0)
    rules = _Ruleset(
        rights,
        _TCP_BIND_AND_CONNECT_SINCE_4 if version >= 4 else 0,
        _ABSTRACT_SOCKETS_AND_SIGNALS_SINCE_6 if version >= 6 else 0,
    )
    ruleset = _check(libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0))
    try:
        for folders, allowed in ((read, _READ), (write, rights & ~_EXECUTE)):
            for folder in folders:
                _allow(libc, ruleset, folder, allowed)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _check(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return True


def python_folders() -> list[Path]:
    """Where the interpreter loads code and time zones from."""
    wanted = {*map(Path, sys.path), Path(sys.prefix), Path(sys.base_prefix)}
    wanted |= {Path(name) for name in ("/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/lib", "/lib64")}
    return [folder for folder in wanted if folder.is_dir() and folder.is_absolute()]


def _allow(libc: ctypes.CDLL, ruleset: int, folder: Path, allowed: int) -> None:
    parent = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        rule = _PathBeneath(allowed, parent)
        _check(libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(parent)


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result
