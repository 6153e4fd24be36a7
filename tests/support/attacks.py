"""Tests that are attacks: each says its threat and the control that stops it; security/README.md lists them.

With `--record-attacks` a run notes where each attack was stopped, in security/passed.json.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.hosts.recipes import HOSTS, VmRecipe

REPOSITORY = Path(__file__).parents[2]
PASSED = REPOSITORY / "security" / "passed.json"
TARGETED = ("attacks", "integration", "machine")
"""Tiers that run against a target, which is then what is noted, but on a kernel of its own; others by their name."""

Outcomes = dict[tuple[str, str], bool]
_outcomes = pytest.StashKey[Outcomes]()


def attack(*, threat: str, control: str, file: str) -> pytest.MarkDecorator:
    """Mark a test as an attack: who wants what, what stops it, and in which file of the repository."""
    return pytest.mark.attack(threat=threat, control=control, file=file)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record-attacks", action="store_true", help="Note passed attacks in security/passed.json."
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_outcomes] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.get_closest_marker("attack") and (report.when == "call" or report.failed):
        key = (name_of(item), tier_of(item))
        outcomes = item.config.stash[_outcomes]
        outcomes[key] = outcomes.get(key, True) and report.passed
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    outcomes = session.config.stash[_outcomes]
    if session.config.getoption("--record-attacks") and outcomes:
        write_passed(merge(read_passed(), outcomes))


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


def merge(before: dict[str, list[str]], outcomes: Outcomes) -> dict[str, list[str]]:
    """What is known after a run: attacks that it did not make stay as they were."""
    known = {name: set(tiers) for name, tiers in before.items()}
    for (name, tier), stopped in outcomes.items():
        tiers = known.setdefault(name, set())
        tiers.add(tier) if stopped else tiers.discard(tier)
    return {name: sorted(tiers) for name, tiers in sorted(known.items()) if tiers}


def read_passed() -> dict[str, list[str]]:
    """Test -> the tiers where it passed."""
    passed: dict[str, list[str]] = json.loads(PASSED.read_text("utf-8")) if PASSED.exists() else {}
    return passed


def write_passed(passed: dict[str, list[str]]) -> None:
    PASSED.write_text(json.dumps(passed, indent=1) + "\n", encoding="utf-8")
