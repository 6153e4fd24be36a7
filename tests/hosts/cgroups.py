"""A control group for each host. In a shared one, two systemds would take each other's processes for their own.

Where systemd runs this machine, it makes one (`systemd-run --scope`) and delegates the controllers to it.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

PREFIX = "ai-semble-test-"
ENDED_WITHIN_S = 20


def systemd_is_here() -> bool:
    """Whether systemd runs this machine; its folder alone does not say so, since nspawn makes it, too."""
    return Path("/proc/1/comm").read_text(encoding="utf-8").strip() == "systemd"


def scope(machine: str) -> list[str]:
    """What stands before a command to run it in a group made by systemd."""
    unit = f"--unit={PREFIX}{machine}"
    return ["systemd-run", "--quiet", "--scope", "--collect", unit, "--property=Delegate=yes"]


def make(machine: str) -> list[Path]:
    """The new groups; a process that is to run in them writes its number into each one's cgroup.procs."""
    made = []
    for parent in _hierarchies():
        group = parent / f"{PREFIX}{machine}"
        group.mkdir(exist_ok=True)
        made.append(group)
    return made


def enter(groups: list[Path]) -> None:
    """Move this process."""
    for group in groups:
        (group / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


def remove(machine: str) -> None:
    """End what still runs in the groups, and remove them."""
    groups = [group for parent in _hierarchies() if (group := parent / f"{PREFIX}{machine}").exists()]
    for switch in (group / "cgroup.kill" for group in groups):
        if switch.exists():
            switch.write_text("1", encoding="ascii")
    deadline = time.monotonic() + ENDED_WITHIN_S
    for folder in [folder for group in groups for folder in sorted(group.glob("**/"), reverse=True)]:
        while not _is_removed(folder):
            if time.monotonic() > deadline:
                raise RuntimeError(f"processes of {folder} do not end")
            time.sleep(0.02)


def _is_removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


def delegates_pids() -> bool:
    """Whether limits of the number of processes can reach a host."""
    return any(
        "pids" in (parent / "cgroup.controllers").read_text(encoding="ascii").split()
        for parent in _hierarchies()
        if (parent / "cgroup.controllers").exists()
    )


def _hierarchies() -> list[Path]:
    """Where systemd looks: version 2, and the one of version 1 that has its name."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(maxsplit=2)
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
            found.append(Path(left.split()[4]))
    return found
