"""Shows which system calls the services of the running pod make, beside what their profiles allow.

sudo .venv/bin/python scripts/lib/seccomp_trace.py [-- COMMAND...]

Traces until COMMAND ends, or until Ctrl-C. It looks from outside, so it also sees pods on test hosts of this machine.
Needs root, bpftrace and cgroup v2; what a container does before its filter is set does not count.
Prints, for each service: `missing`, calls that it made or wanted to make and may not; `unused`, calls that it may make
and did not. No run makes every call that may be needed: `unused` is a question, not an answer.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from seccomp import allowed
from seccomp_table import SERVICES

Calls = dict[str, set[str]]

_LOOK_EVERY_S = 0.3
_FILTERED = "((struct task_struct *)curtask)->seccomp.mode == 2"
# What the filter refuses never enters a call, but leaves it.
_PROGRAM = f"""
tracepoint:raw_syscalls:sys_enter /{_FILTERED}/ {{ @entered[cgroup, args->id] = count(); }}
tracepoint:raw_syscalls:sys_exit /{_FILTERED}/ {{ @left[cgroup, args->id] = count(); }}
"""
# Mounted for this process alone.
_WITH_TRACEFS = (
    "mount -t debugfs nodev /sys/kernel/debug && mount -t tracefs nodev /sys/kernel/tracing; "
    'exec bpftrace -f json "$0"'
)
# Leaving `seccomp` is the first that a filtered program does; a signal handler's return has no number left.
_ARTEFACTS = {"seccomp", "-1"}


def main(words: list[str]) -> int:
    if words[:1] == ["--"]:
        words = words[1:]
    elif words:
        print(__doc__, file=sys.stderr)
        return 2
    if os.geteuid() != 0 or shutil.which("bpftrace") is None:
        print(
            "error: this needs root and bpftrace\nhint:  apt-get install bpftrace; sudo ...", file=sys.stderr
        )
        return 1
    entered, left = trace(words)
    if not entered:
        print("error: no service of a pod was seen\nhint:  ./scripts/deploy.sh start", file=sys.stderr)
        return 1
    print(report(entered, left))
    return 0


def trace(command: list[str]) -> tuple[Calls, Calls]:
    """The calls that each service entered and left while the command ran."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "calls.bt")
        program.write_text(_PROGRAM, encoding="ascii")
        services = Services()
        with Path(folder, "calls.json").open("w+", encoding="utf-8") as output:
            tracer = subprocess.Popen(  # noqa: S603 - our own command
                ["unshare", "--mount", "sh", "-c", _WITH_TRACEFS, str(program)],  # noqa: S607 - root's own PATH
                stdout=output,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "BPFTRACE_MAP_KEYS_MAX": "65536"},
                start_new_session=True,
            )
            services.start()
            try:
                if command:
                    subprocess.run(command, check=False)  # noqa: S603 - the caller's own command
                else:
                    print("Tracing; end it with Ctrl-C", file=sys.stderr)
                    signal.pause()
            except KeyboardInterrupt:
                pass
            finally:
                services.stop()
                tracer.send_signal(signal.SIGINT)
                tracer.wait(60)
            output.seek(0)
            return parse(output, services.found)


class Services(threading.Thread):
    """Finds out, again and again, which cgroup is which service's: containers come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_S):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    if service := service_of((folder / "cmdline").read_bytes()):
                        self.found[cgroup_id((folder / "cgroup").read_text())] = service
                except OSError:  # it has ended meanwhile
                    continue

    def stop(self) -> None:
        self._ended.set()
        self.join()


def service_of(command: bytes) -> str | None:
    """The service that a process is, by its command line."""
    words = command.decode(errors="replace").split("\0")
    if "serve" in words[1:-1]:
        name = words[words.index("serve") + 1]
    else:
        # Python, and the program that it runs.
        name = Path(words[1]).name.removeprefix("ai-semble-") if len(words) > 1 else ""
    return name if name in SERVICES else None


def cgroup_id(lines: str) -> str:
    """What bpftrace calls `cgroup`, from the text of /proc/PID/cgroup. Raises OSError without cgroup v2."""
    path = next(line.removeprefix("0::/") for line in lines.splitlines() if line.startswith("0::/"))
    for root in (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")):
        if root.is_dir():
            return str((root / path).stat().st_ino)
    raise FileNotFoundError("/sys/fs/cgroup")


def parse(lines: Iterable[str], services: Mapping[str, str]) -> tuple[Calls, Calls]:
    """From bpftrace's JSON lines: what each service entered, and what it left."""
    found: dict[str, Calls] = {"@entered": defaultdict(set), "@left": defaultdict(set)}
    for line in lines:
        event = json.loads(line) if line.strip() else {}
        if event.get("type") != "map":
            continue
        for name, counts in event["data"].items():
            for key in counts:
                cgroup, number = key.split(",")
                if cgroup in services:
                    found[name][services[cgroup]].add(name_of(int(number)))
    return found["@entered"], found["@left"]


def name_of(number: int) -> str:
    """The name of a call of this machine; the number itself where libseccomp has none."""
    library = ctypes.CDLL("libseccomp.so.2")
    resolve = library.seccomp_syscall_resolve_num_arch
    resolve.argtypes, resolve.restype = [ctypes.c_uint32, ctypes.c_int], ctypes.c_char_p
    name = resolve(library.seccomp_arch_native(), number)
    return name.decode() if name else str(number)


def report(entered: Calls, left: Calls) -> str:
    """A paragraph a service."""
    lines = []
    for service, groups in SERVICES.items():
        may, made, wanted = allowed(groups), entered.get(service, set()), left.get(service, set())
        missing = (made | wanted) - may - _ARTEFACTS
        lines += [
            f"{service}: made {len(made)} calls, may make {len(may)}",
            f"  missing: {' '.join(sorted(missing)) or 'none'}",
            f"  unused:  {' '.join(sorted(may - made)) or 'none'}",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
