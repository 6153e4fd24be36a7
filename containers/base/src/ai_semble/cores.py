"""How many cores this process may really use: by its affinity, and by the CPU limit of its control groups."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def usable_cores(cgroups: Path = CGROUPS, process: Path = Path("/proc/self")) -> int:
    """At least 1. More compute threads than this wait for each other under a limit.

    Source: the kernel's "Control Group v2", `cpu.max`: `$MAX $PERIOD` in microseconds, or `max`; the limits of
    all groups above hold too.
    """
    cores = float(len(os.sched_getaffinity(0)))
    return max(1, math.floor(min([cores, *_limits(cgroups, process)])))


def _limits(cgroups: Path, process: Path) -> Iterator[float]:
    group = cgroups / _group_of(process)
    for folder in (group, *group.parents):
        if not folder.is_relative_to(cgroups):
            return
        try:
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        except (OSError, ValueError):
            continue
        if quota != "max":
            yield int(quota) / int(period)


def _group_of(process: Path) -> str:
    """The path of the process's group below the mount of cgroup v2; empty where there is none."""
    try:
        lines = (process / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("0::").lstrip("/") for line in lines if line.startswith("0::")), "")
