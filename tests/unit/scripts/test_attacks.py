"""Where attacks passed: what a run notes, and what the table shows of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import attacks
from tests.support.attacks import merge, tier_of

ROW = attacks.Attack(
    "Bombs", "a | b", "limits", "containers/x/y.py", "tests/vm/test_x.py::test_it_is_stopped"
)


def item(nodeid: str, *, target: str = "quadlet", host: str = "debian13") -> Any:
    options = {"--target": target, "--host": host}
    return SimpleNamespace(nodeid=nodeid, config=SimpleNamespace(getoption=options.__getitem__))


@pytest.mark.parametrize(
    ("nodeid", "host", "tier"),
    [
        ("tests/unit/jobs/test_x.py::test_y", "debian13", "unit"),
        ("tests/attacks/test_x.py::test_y", "debian13", "quadlet"),
        ("tests/machine/test_x.py::test_y", "debian13", "quadlet"),
        ("tests/attacks/test_x.py::test_y", "debian13-apparmor", "vm-apparmor"),
        ("tests/vm/test_x.py::test_y", "debian13-selinux", "vm-selinux"),
    ],
)
def test_a_run_notes_its_tier_or_the_kernel_of_its_host(nodeid: str, host: str, tier: str) -> None:
    assert tier_of(item(nodeid, host=host)) == tier


def test_a_failure_takes_back_one_tier_alone() -> None:
    before = {"x": ["quadlet", "vm-apparmor", "vm-selinux"], "y": ["unit"]}
    after = merge(before, {("x", "vm-selinux"): False, ("x", "embedded"): True})
    assert after == {"x": ["embedded", "quadlet", "vm-apparmor"], "y": ["unit"]}


def test_a_row_shows_every_tier_and_says_when_there_is_none() -> None:
    assert attacks.line_of(ROW, ["quadlet", "vm-selinux"]) == (
        "| a \\| b | limits | [y.py](../containers/x/y.py) | [it is stopped](../tests/vm/test_x.py) "
        "| quadlet, vm-selinux |"
    )
    assert attacks.line_of(ROW, []).endswith("| not yet |")
