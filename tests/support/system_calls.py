"""Numbers and counts of system calls, by libseccomp's own tables."""

from __future__ import annotations

import ctypes
import json
from typing import Any

_X86_64 = 0xC000003E


def number_of(call: str, architecture: int = 0) -> int:
    """The number of a call, on this machine or by the kernel's mark of another. Raises ValueError if there is none."""
    library = ctypes.CDLL("libseccomp.so.2")
    number = int(library.seccomp_syscall_resolve_name_arch(architecture, call.encode()))
    if number < 0:
        raise ValueError(f"there is no system call {call} here")
    return number


def is_known(call: str) -> bool:
    """Whether any architecture has a call of this name."""
    return int(ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name(call.encode())) != -1


def allowed_by_default(profile: str) -> int:
    """How many calls of x86_64 a profile, in the format of Podman's, allows without capabilities."""
    library = ctypes.CDLL("libseccomp.so.2")
    names = {name for rule in json.loads(profile)["syscalls"] if _holds(rule) for name in rule["names"]}
    numbers = (library.seccomp_syscall_resolve_name_arch(_X86_64, name.encode()) for name in names)
    return sum(number >= 0 for number in numbers)


def _holds(rule: dict[str, Any]) -> bool:
    """Whether a rule allows something to a container without capabilities on x86_64."""
    needs = rule.get("includes") or {}
    return (
        rule["action"] == "SCMP_ACT_ALLOW"
        and not needs.get("caps")
        and "amd64" in (needs.get("arches") or ["amd64"])
    )
