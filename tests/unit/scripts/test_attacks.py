"""Where attacks passed: what a run notes, and what the table shows of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import attacks
from tests.support.attacks import REPOSITORY, merge, tier_of

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


def test_a_run_that_says_too_little_changes_nothing() -> None:
    before = {"x": ["quadlet"]}
    assert merge(before, {("x", "quadlet"): None, ("x", "unit"): None, ("y", "unit"): None}) == before


PLUGIN = """
import pathlib
from tests.support import attacks

pytest_plugins = ["tests.support.attacks"]
attacks.PASSED = pathlib.Path(__file__).with_name("passed.json")


def pytest_addoption(parser):
    parser.addoption("--target", default="embedded")
    parser.addoption("--host")
    parser.addoption("--broken", default="")
"""
TESTS = """
import pytest
from tests.support.attacks import attack


@attack(threat="t", control="c", file="f")
@pytest.mark.parametrize("case", ["first", "second", "third"])
def test_it_is_stopped(case, pytestconfig):
    if case == "third":
        pytest.skip("another target has this")
    assert case != pytestconfig.getoption("--broken")


@attack(threat="t", control="c", file="f")
@pytest.mark.skip(reason="no target has it")
def test_nothing():
    pass
"""


def test_only_a_run_of_every_case_notes_a_test_and_any_case_that_fails_takes_it_away(tmp_path: Path) -> None:
    (tmp_path / "tests" / "attacks").mkdir(parents=True)
    file = "tests/attacks/test_made.py"
    (tmp_path / file).write_text(TESTS)
    (tmp_path / "conftest.py").write_text(PLUGIN)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = attack: x\n")

    def noted_after(*words: str) -> list[str]:
        command = [sys.executable, "-m", "pytest", "--record-attacks", "-p", "no:cacheprovider", *words]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == int("--broken=second" in words), done.stdout + done.stderr
        noted = json.loads((tmp_path / "passed.json").read_text())
        assert set(noted) <= {f"{file}::test_it_is_stopped"}
        return [tier for tiers in noted.values() for tier in tiers]

    assert noted_after("-k", "first or third") == []
    assert noted_after(f"{file}::test_it_is_stopped[first]") == []
    assert noted_after() == ["embedded"]
    assert noted_after("-k", "first or third", "--target=kube") == ["embedded"]
    assert noted_after("-k", "first or third") == ["embedded"]
    assert noted_after("-k", "second or third", "--broken=second") == []


def test_a_row_shows_every_tier_and_says_when_there_is_none() -> None:
    assert attacks.line_of(ROW, ["quadlet", "vm-selinux"]) == (
        "| a \\| b | limits | [y.py](../containers/x/y.py) | [it is stopped](../tests/vm/test_x.py) "
        "| quadlet, vm-selinux |"
    )
    assert attacks.line_of(ROW, []).endswith("| not yet |")
