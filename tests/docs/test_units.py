"""The committed units are what is rendered."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.render.variants import COMMITTED, REPOSITORY, read


@pytest.mark.parametrize("folder", COMMITTED)
def test_the_committed_units_are_fresh(folder: str) -> None:
    expected = COMMITTED[folder].files()
    assert read(REPOSITORY / folder) == expected, "renew with: python -m tests.unit.render.variants"


def test_the_picture_of_the_units_is_fresh() -> None:
    command = [sys.executable, "scripts/lib/unit_map.py", "--check"]
    checked = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
