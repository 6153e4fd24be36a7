"""Processes of an environment are found by their mark and never outlive it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_semble.embedded.lock import SupervisorLock
from ai_semble.embedded.process import MARK, child_variables, kill_marked, marked, terminate
from tests.support.supervised_environment import eventually, is_gone

HOLD = """
import sys, time
from pathlib import Path
from ai_semble.embedded.lock import SupervisorLock
print(SupervisorLock(Path(sys.argv[1])).acquire(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: str(tmp_path)})
    eventually(lambda: process.pid in marked(tmp_path))
    yield process
    process.kill()
    process.wait()


def test_only_marked_processes_are_found(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert list(marked(tmp_path)) == [sleeper.pid]
    assert list(marked(tmp_path / "other")) == []


def test_what_was_left_behind_is_killed(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert kill_marked(tmp_path) == []
    assert is_gone(sleeper.pid)


def test_a_process_that_took_over_the_number_is_spared(sleeper: subprocess.Popen[bytes]) -> None:
    assert terminate(sleeper.pid, lambda: False, 1)
    assert not is_gone(sleeper.pid)


def test_a_polite_end_is_told_from_a_kill(sleeper: subprocess.Popen[bytes]) -> None:
    assert terminate(sleeper.pid, lambda: True, 5)
    assert is_gone(sleeper.pid)
    sleeper.wait()
    assert terminate(sleeper.pid, lambda: True, 5)


def test_the_kernel_names_the_holder_of_the_lock(tmp_path: Path) -> None:
    lock = SupervisorLock(tmp_path / "lock")
    assert lock.holder() is None
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert lock.holder() == holder.pid
        assert not SupervisorLock(tmp_path / "lock").acquire()
        holder.kill()
        holder.wait()
    assert lock.holder() is None


def test_what_the_user_has_set_goes_before_our_variables(tmp_path: Path) -> None:
    variables = child_variables({"OMP_NUM_THREADS": "7"}, tmp_path, 2)
    assert variables["OMP_NUM_THREADS"] == "7"
    assert variables["OMP_WAIT_POLICY"] == "PASSIVE"
    assert variables[MARK] == str(tmp_path)
