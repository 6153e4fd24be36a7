"""The seccomp profiles and their page are what the table says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_the_seccomp_profiles_are_fresh() -> None:
    command = [sys.executable, "scripts/lib/seccomp.py", "--check"]
    checked = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
