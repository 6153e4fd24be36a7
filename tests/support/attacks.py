"""Tests that are attacks: each says its threat and the control that stops it; security/README.md lists them.

With `--record-attacks` a run notes where each attack was stopped, in security/passed.json: when every case of the test
passed that this target does not skip. A run of a part of them leaves what is noted; a case that fails takes it away.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.hosts.recipes import HOSTS, VmRecipe

REPOSITORY = Path(__file__).parents[2]
PASSED = REPOSITORY / "security" / "passed.json"
TARGETED = ("attacks", "integration", "machine")
"""Tiers that run against a target, which is then what is noted, but on a kernel of its own; others by their name."""


@dataclass
class Cases:
    """A test's cases in one run, by node id: those that there are, also deselected ones, and what became of them."""

    all: set[str] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)

    def stopped(self) -> bool | None:
        """Whether the attack was; None when the run says too little."""
        if self.failed:
            return False
        whole = self.all and self.all <= self.passed | self.skipped
        return True if whole and self.passed else None


Attacks = dict[tuple[str, str], Cases]
"""By test and tier."""
_attacks = pytest.StashKey[Attacks]()


def attack(*, threat: str, control: str, file: str) -> pytest.MarkDecorator:
    """Mark a test as an attack: who wants what, what stops it, and in which file of the repository."""
    return pytest.mark.attack(threat=threat, control=control, file=file)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record-attacks", action="store_true", help="Note passed attacks in security/passed.json."
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_attacks] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Before -k and -m take any away."""
    if config.getoption("lf", False) or any("[" in word for word in config.args):
        return  # These collect a part of the cases, and what the whole would be is not known.
    for item in items:
        if item.get_closest_marker("attack"):
            cases_of(item).all.add(item.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.get_closest_marker("attack"):
        cases = cases_of(item)
        if report.failed or hasattr(report, "wasxfail"):
            cases.failed.add(item.nodeid)
        elif report.skipped:
            cases.skipped.add(item.nodeid)
        elif report.when == "call":
            cases.passed.add(item.nodeid)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    outcomes = {key: cases.stopped() for key, cases in session.config.stash[_attacks].items()}
    if session.config.getoption("--record-attacks") and outcomes:
        write_passed(merge(read_passed(), outcomes))


def cases_of(item: pytest.Item) -> Cases:
    return item.config.stash[_attacks].setdefault((name_of(item), tier_of(item)), Cases())


def name_of(item: pytest.Item) -> str:
    """`tests/attacks/test_pages.py::test_...`, without parameters."""
    return item.nodeid.partition("[")[0]


def tier_of(item: pytest.Item) -> str:
    tier = Path(item.nodeid.partition("::")[0]).parts[1]
    target: str = item.config.getoption("--target")
    host = HOSTS.get(item.config.getoption("--host") or "")
    if isinstance(host, VmRecipe):
        return f"vm-{host.name.rpartition('-')[2]}"
    return target if tier in TARGETED else tier


def merge(
    before: Mapping[str, list[str]], outcomes: Mapping[tuple[str, str], bool | None]
) -> dict[str, list[str]]:
    """What is known after a run: attacks that it did not make, or only in part, stay as they were."""
    known = {name: set(tiers) for name, tiers in before.items()}
    for (name, tier), stopped in outcomes.items():
        tiers = known.setdefault(name, set())
        if stopped is not None:
            tiers.add(tier) if stopped else tiers.discard(tier)
    return {name: sorted(tiers) for name, tiers in sorted(known.items()) if tiers}


def read_passed() -> dict[str, list[str]]:
    """Test -> the tiers where it passed."""
    passed: dict[str, list[str]] = json.loads(PASSED.read_text("utf-8")) if PASSED.exists() else {}
    return passed


def write_passed(passed: dict[str, list[str]]) -> None:
    PASSED.write_text(json.dumps(passed, indent=1) + "\n", encoding="utf-8")
