"""run-tests.sh: tiers, options, and an exit status that tells the truth."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.shell.conftest import CHECKOUT, Shell

STUB = '#!/bin/sh\necho "{name} $*"\ncase "{name} $*" in "${{FAIL:-nothing}}"*) exit 1 ;; esac\n'
TOOLS = ("ai-semble", "coverage", "mypy", "pytest", "ruff", "shellcheck", "shfmt", "python")


@pytest.fixture
def checkout(shell: Shell, tmp_path: Path) -> Path:
    """A copy of the scripts whose .venv has only stubs, which print how they were called."""
    copy = tmp_path / "checkout"
    shutil.copytree(CHECKOUT / "scripts", copy / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    for name in TOOLS:
        shell._write(copy / ".venv" / "bin" / name, STUB.format(name=name))
    return copy


def run(shell: Shell, checkout: Path, *words: str, **variables: str) -> tuple[int, list[str], str]:
    shell.variables |= variables
    answer = shell.run(str(checkout / "scripts" / "run-tests.sh"), *words)
    return answer.returncode, answer.stdout.splitlines(), answer.stderr


def test_help_names_every_tier(shell: Shell) -> None:
    answer = shell.run("run-tests.sh", "--help")
    assert answer.returncode == 0
    for tier in (
        "all",
        "quick",
        "lint",
        "unit",
        "contract",
        "shell",
        "docs",
        "integration",
        "machine",
        "vm",
        "load",
    ):
        assert f"\n  {tier} " in answer.stdout


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nonsense"],
        ["integration", "--target=moon"],
        ["machine", "--host=windows95"],
        ["vm", "--kernel=hurd"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(shell: Shell, words: list[str]) -> None:
    assert shell.run("run-tests.sh", *words).returncode == 2


def test_pytest_options_are_handed_on(shell: Shell, checkout: Path) -> None:
    status, said, _ = run(shell, checkout, "unit", "-k", "a and b", "-x")
    assert status == 0
    assert said == ["ai-semble models pull", "pytest --quiet tests/unit -k a and b -x"]


def test_a_named_file_is_tested_instead_of_its_folder(shell: Shell, checkout: Path) -> None:
    status, said, _ = run(shell, checkout, "unit", "tests/unit/base/test_cli.py", "-x")
    assert status == 0
    assert said[-1] == "pytest --quiet tests/unit/base/test_cli.py -x"


def test_coverage_measures_and_reports(shell: Shell, checkout: Path) -> None:
    _, said, _ = run(shell, checkout, "unit", "--coverage")
    assert "coverage run -m pytest --quiet tests/unit" in said
    assert said[-1].startswith("coverage report")


def test_all_runs_every_tier_and_both_targets(shell: Shell, checkout: Path) -> None:
    status, said, summary = run(shell, checkout, "all")
    assert status == 0
    for part in ("unit", "contract", "shell", "docs"):
        assert f"pytest --quiet tests/{part}" in said
    for target in ("inprocess", "embedded"):
        assert f"pytest --quiet tests/integration --target={target}" in said
    assert "pytest --quiet tests/attacks --target=embedded" in said
    hosts = "pytest --quiet tests/integration tests/attacks/test_containers.py tests/machine --host="
    kernels = "pytest --quiet tests/vm tests/attacks/test_containers.py::test_a_fork_bomb_ends_at_a_limit"
    first, second = said.index(f"{hosts}debian13"), said.index(f"{hosts}debian12 -m not thorough")
    third, fourth = (number for number, line in enumerate(said) if line.startswith(kernels))
    assert said[third].endswith(" --host=debian13-apparmor -m not thorough")
    assert said[fourth].endswith(" --host=debian13-selinux -m not thorough")
    assert first < second
    assert said.index("pytest --quiet tests/attacks --target=embedded") < third < fourth
    assert said[-1] == "python -m tests.load --quick", "speed is measured when nothing else runs"
    steps = {line.removeprefix("== ") for line in summary.splitlines() if line.startswith("== ")} - {
        "summary"
    }
    assert len(steps) == 19
    assert all(summary.count(f"passed  {step} (") == 1 for step in steps)


SLOW = """#!/bin/sh
case "$*" in
  *--host=debian13) touch "$HOME/host"; while ! [ -e "$HOME/unit" ]; do sleep 0.1; done; echo host 1; echo host 2 ;;
  "--quiet tests/unit") echo unit 1; while ! [ -e "$HOME/host" ]; do sleep 0.1; done; touch "$HOME/unit"; echo unit 2 ;;
esac
"""


def test_hosts_and_processes_are_tested_at_the_same_time_and_what_they_say_is_not_mixed(
    shell: Shell, checkout: Path
) -> None:
    shell._write(checkout / ".venv/bin/pytest", SLOW)
    shell.stub("sleep", f'#!/bin/sh\nexec {shutil.which("sleep")} "$@"\n')
    _, said, _ = run(shell, checkout, "all")
    for name in ("unit", "host"):
        first = said.index(f"{name} 1")
        assert said[first + 1] == f"{name} 2"


ENDLESS = """#!/bin/bash
case "$*" in
  *--host=debian13 | "--quiet tests/unit") ;;
  *fresh) exit ;;
  *) echo "too late: $*" && exit ;;
esac
trap 'echo cleaned up >>"$HOME/ended"; exit 2' INT
echo $$ >>"$HOME/begun"
echo what it has said
while :; do sleep 0.1; done
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_all_ends_every_lane_politely_and_sees_how_far_it_came(
    shell: Shell, checkout: Path, how: signal.Signals
) -> None:
    shell._write(checkout / ".venv/bin/pytest", ENDLESS)
    shell.stub("sleep", f'#!/bin/sh\nexec {shutil.which("sleep")} "$@"\n')
    home = Path(shell.variables["HOME"])
    # Who was started in the background of a script would not hear the former.
    command = ["env", "--default-signal=INT", str(checkout / "scripts/run-tests.sh"), "all"]
    with subprocess.Popen(command, env=shell.variables, stdout=subprocess.PIPE, text=True) as running:
        try:
            while len(lines(home / "begun")) < 2:
                assert running.poll() is None
                time.sleep(0.1)
            running.send_signal(how)
            said, _ = running.communicate(timeout=30)
        finally:
            running.kill()
    assert running.returncode == 130
    assert said.count("what it has said") == 2
    assert "too late" not in said
    assert lines(home / "ended") == ["cleaned up"] * 2
    assert not [number for number in lines(home / "begun") if Path("/proc", number).exists()]


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def test_one_failure_fails_the_whole_and_the_rest_still_runs(shell: Shell, checkout: Path) -> None:
    failing = "pytest --quiet tests/contract"
    status, said, summary = run(shell, checkout, "all", FAIL=failing)
    assert status == 1
    assert f"{failing} --last-failed --last-failed-no-failures none" in said
    assert "pytest --quiet tests/integration --target=embedded" in said
    assert f"FAILED  contract: {failing}" in summary


@pytest.mark.parametrize("words", [["machine"], ["vm"], ["integration", "--target=kube"]], ids=" ".join)
def test_where_no_host_can_run_the_tier_fails_without_starting_one(
    shell: Shell, checkout: Path, words: list[str]
) -> None:
    status, said, summary = run(shell, checkout, *words, FAIL="python -m tests.hosts check")
    assert status == 1
    assert "see above what this machine lacks" in summary
    assert not [line for line in said if line.startswith("pytest")]


def test_the_machine_tier_runs_the_integration_suite_on_the_host_that_was_asked_for(
    shell: Shell, checkout: Path
) -> None:
    _, said, _ = run(shell, checkout, "machine", "--host=debian12", "-x")
    suites = "tests/integration tests/attacks/test_containers.py tests/machine"
    assert said[-1] == f"pytest --quiet {suites} --host=debian12 -x"


@pytest.mark.parametrize(("tier", "target"), [("integration", "inprocess"), ("attacks", "embedded")])
def test_a_suite_of_the_whole_platform_runs_where_it_says_most(
    shell: Shell, checkout: Path, tier: str, target: str
) -> None:
    _, said, _ = run(shell, checkout, tier, "-x")
    assert said[-1] == f"pytest --quiet tests/{tier} --target={target} -x"


@pytest.mark.parametrize("tier", ["integration", "attacks"])
def test_a_suite_of_the_whole_platform_runs_on_the_kernel_that_was_asked_for(
    shell: Shell, checkout: Path, tier: str
) -> None:
    _, said, _ = run(shell, checkout, tier, "--kernel=selinux", "-x")
    assert said[-1] == f"pytest --quiet tests/{tier} --host=debian13-selinux -x"
