"""The table of attacks is fresh, and says nothing that is not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.attacks import merge, read_passed

REPOSITORY = Path(__file__).parents[2]


def test_the_table_of_attacks_is_fresh() -> None:
    command = [sys.executable, "scripts/lib/attacks.py", "--check"]
    checked = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_every_attack_names_a_file_that_exists_and_a_test_of_its_own() -> None:
    from attacks import attacks  # noqa: PLC0415 - it imports every test that is an attack

    rows = attacks()
    assert len(rows) == len({row.test for row in rows}) >= 60
    assert not [row.file for row in rows if not (REPOSITORY / row.file).is_file()]
    assert all(row.threat and row.control and row.subject for row in rows)


def test_what_is_said_to_have_passed_is_still_a_test() -> None:
    from attacks import attacks  # noqa: PLC0415

    assert set(read_passed()) <= {row.test for row in attacks()}


def test_an_attack_that_succeeds_is_no_longer_said_to_be_stopped() -> None:
    before = {"a": ["embedded", "unit"], "b": ["embedded"]}
    after = merge(before, {("a", "embedded"): False, ("c", "kube"): True})
    assert after == {"a": ["unit"], "b": ["embedded"], "c": ["kube"]}
