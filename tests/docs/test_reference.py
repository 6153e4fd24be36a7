"""What is generated is fresh."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_the_reference_pages_are_fresh() -> None:
    assert_fresh("reference.py")


def test_the_modules_that_the_client_has_copies_of_are_fresh() -> None:
    assert_fresh("vendor.py")


def assert_fresh(script: str) -> None:
    command = [sys.executable, f"scripts/lib/{script}", "--check"]
    checked = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
