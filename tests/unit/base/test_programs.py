"""A process that gives up programs goes on with everything else, and neither it nor what it forks ever starts one."""

from __future__ import annotations

import json
import struct
import subprocess
import sys

import pytest

from ai_semble import programs
from ai_semble.topology import SERVICES
from tests.support.attacks import attack
from tests.support.system_calls import number_of

ALLOW = 0x7FFF0000
# Tries every way in a thread that was there before, in one that came after, and in a child; then it does some work.
TRY = """
import ctypes, errno, json, os, queue, subprocess, threading
from ai_semble import programs

libc = ctypes.CDLL(None, use_errno=True)
MACHINE = programs._MACHINES[os.uname().machine]

def called(number, *arguments):
    result = libc.syscall(number, *arguments)
    return errno.errorcode.get(ctypes.get_errno()) if result < 0 else "done"

def attempt():
    said = {}
    for name, start in {
        "subprocess": lambda: subprocess.run(["/bin/true"]),
        "shell": lambda: subprocess.run("true", shell=True),
        "spawn": lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
    }.items():
        try:
            start()
            said[name] = "done"
        except OSError as error:
            said[name] = errno.errorcode[error.errno]
    # Nothing has this address: where the call is allowed it says so.
    said["execve"] = called(MACHINE.execve, None, None, None)
    said["execveat"] = called(MACHINE.execveat, -1, None, None, None, 0)
    if os.uname().machine == "x86_64":
        said["x32"] = called(0x40000000 + 520, None, None, None)
    return said

def in_child():
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, json.dumps(attempt()).encode())
        os._exit(0)
    os.close(write)
    os.wait()
    return json.loads(os.read(read, 65536))

orders, answers = queue.Queue(), queue.Queue()
early = threading.Thread(target=lambda: (orders.get(), answers.put(attempt())))
early.start()
before = attempt()
programs.give_up()
orders.put("now")
after = {"main": attempt(), "early thread": answers.get(), "child": in_child()}
late = threading.Thread(target=lambda: answers.put(attempt()))
late.start()
after["late thread"] = answers.get()
with open(os.devnull, "w") as file:
    file.write("x")
programs.give_up()
print(json.dumps([before, after]))
"""


@attack(
    threat="It starts a shell or another program",
    control="What starts no program gives up that it can, by a seccomp filter of its own",
    file="containers/base/src/ai_semble/programs.py",
)
def test_what_gave_up_programs_starts_none_and_works_on() -> None:
    done = subprocess.run([sys.executable, "-c", TRY], capture_output=True, text=True, timeout=60, check=True)
    before, after = json.loads(done.stdout)
    assert {before[name] for name in ("subprocess", "shell", "spawn")} == {"done"}
    assert before["execve"] in ("EFAULT", "ENOENT")
    assert set(after) == {"main", "early thread", "child", "late thread"}
    assert {answer for said in after.values() for answer in said.values()} == {"EPERM"}, after


def test_where_it_cannot_be_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_MACHINES", {})
    assert "not known here" in programs.give_up()


@pytest.mark.parametrize("name", ["x86_64", "aarch64"])
def test_on_each_architecture_these_two_calls_are_refused_and_no_other(name: str) -> None:
    machine = programs._MACHINES[name]
    steps = programs._filter(machine)
    numbers = {
        call: number_of(call, machine.mark) for call in ("seccomp", "execve", "execveat", "clone", "openat")
    }
    assert (numbers["seccomp"], numbers["execve"], numbers["execveat"]) == (
        machine.seccomp,
        machine.execve,
        machine.execveat,
    )
    refused = {call for call, number in numbers.items() if verdict(steps, number, machine.mark) != ALLOW}
    assert refused == {"execve", "execveat"}
    foreign = next(other for other in programs._MACHINES.values() if other is not machine)
    assert verdict(steps, numbers["openat"], foreign.mark) != ALLOW
    assert verdict(steps, 0x40000000 + numbers["openat"], machine.mark) != ALLOW


def verdict(steps: bytes, number: int, architecture: int) -> int:
    """What the kernel would do with a call, by the four kinds of steps that the filter has."""
    known = {0: number, 4: architecture}
    program = [struct.unpack_from("=HBBI", steps, at) for at in range(0, len(steps), 8)]
    value = at = 0
    while True:
        code, then, otherwise, operand = program[at]
        at += 1
        match code:
            case 0x20:
                value = known[operand]
            case 0x15:
                at += then if value == operand else otherwise
            case 0x35:
                at += then if value >= operand else otherwise
            case _:
                return int(operand)


def test_the_services_with_processes_of_their_own_are_known() -> None:
    starting = {name for name, service in SERVICES.items() if service.starts_programs}
    assert starting == {"llm", "data-processor"}
