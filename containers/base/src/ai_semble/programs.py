"""What starts no program gives up that it can: then who takes it over cannot either.

A seccomp filter, by which the kernel refuses `execve` and `execveat` to all threads of this process and to all that
they fork, for good. It needs no library and no privilege, holds in a container as without one, and does not touch what
is started in the container from outside, as health checks are.

Source: the kernel's "Seccomp BPF", and seccomp(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import dataclass

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
# All threads at once, and without the slower memory that kernels before 5.16 give with a filter.
_TSYNC, _SPEC_ALLOW = 1, 4

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
_X32 = 0x40000000  # from here on, a second set of numbers on x86-64; no other has numbers as high


@dataclass(frozen=True)
class _Machine:
    """The kernel's mark of an architecture, and the numbers of its calls."""

    mark: int
    seccomp: int
    execve: int
    execveat: int


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 317, 59, 322),
    "aarch64": _Machine(0xC00000B7, 277, 221, 281),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def give_up() -> str:
    """From now on no program is started here. Cannot be undone. Where the kernel cannot do it, why; else nothing."""
    try:
        _refuse_programs()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _refuse_programs() -> None:
    machine = _MACHINES.get(os.uname().machine)
    if machine is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise OSError(errno.ENOSYS, f"the system calls of {os.uname().machine} are not known here")
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    steps = _filter(machine)
    program = _Program(len(steps) // 8, steps)
    _check(libc.syscall(machine.seccomp, _SET_MODE_FILTER, _TSYNC | _SPEC_ALLOW, ctypes.byref(program)))


def _filter(machine: _Machine) -> bytes:
    """Calls of another architecture, which the processor may know, too, are refused as a whole."""
    steps = (
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_IF_EQUAL, 0, 5, machine.mark),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_IF_AT_LEAST, 3, 0, _X32),
        (_IF_EQUAL, 2, 0, machine.execve),
        (_IF_EQUAL, 1, 0, machine.execveat),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    )
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")
    if result > 0:
        raise OSError(errno.EBUSY, f"seccomp: thread {result} has a filter of its own")
