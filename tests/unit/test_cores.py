"""Cores are counted by what this process may use, not by what the machine has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_semble.cores import usable_cores

ALL = len(os.sched_getaffinity(0))


def groups(folder: Path, limits: dict[str, str], own: str) -> tuple[Path, Path]:
    """A tree of control groups and a process that is in one of them."""
    cgroups, process = folder / "cgroup", folder / "process"
    process.mkdir()
    (process / "cgroup").write_text(f"1:name=systemd:/elsewhere\n0::/{own}\n", encoding="utf-8")
    for name, limit in limits.items():
        (cgroups / name).mkdir(parents=True, exist_ok=True)
        (cgroups / name / "cpu.max").write_text(f"{limit}\n", encoding="ascii")
    return cgroups, process


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"": "100000 100000"}, 1),
        ({"pod": "max 100000", "pod/service": "100000 100000"}, 1),
        ({"pod": "100000 100000", "pod/service": "max 100000"}, 1),
        ({"pod/service": "50000 100000"}, 1),
        ({"pod/service": "max 100000"}, ALL),
        ({"pod/service": "6400000 100000"}, ALL),
        ({"pod/service": "not a limit at all"}, ALL),
        ({}, ALL),
    ],
)
def test_the_narrowest_limit_counts(tmp_path: Path, limits: dict[str, str], expected: int) -> None:
    assert usable_cores(*groups(tmp_path, limits, "pod/service")) == expected


def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "none", tmp_path / "nobody") == ALL
