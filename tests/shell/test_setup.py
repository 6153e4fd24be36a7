"""setup.sh says what is wrong with a host, each finding with its fix."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.shell.conftest import CHECKOUT, Shell

CHECKS = sorted((CHECKOUT / "scripts" / "checks").glob("*.sh"))


def test_every_check_says_why_and_for_which_mode() -> None:
    for check in CHECKS:
        lines = check.read_text(encoding="utf-8").splitlines()
        assert re.fullmatch(r"# [A-Z].*\.", lines[1]), check.name
        assert re.fullmatch(r"# for:( embedded)?( pod)?", lines[2]), check.name


def test_help_is_the_comment_at_its_head(shell: Shell) -> None:
    answer = shell.run("setup.sh", "--help")
    assert answer.returncode == 0
    assert "--check" in answer.stdout


def test_an_unknown_option_ends_with_2(shell: Shell) -> None:
    answer = shell.run("setup.sh", "--nonsense")
    assert answer.returncode == 2
    assert "hint:  ./scripts/setup.sh --help" in answer.stderr


def test_check_reports_everything_and_installs_nothing(shell: Shell) -> None:
    answer = shell.run("setup.sh", "--check")
    assert answer.returncode == 1
    assert re.search(
        r"^bad   podman    Podman is not installed\n +fix: sudo apt install podman$", answer.stdout, re.M
    )
    assert "python" not in answer.stdout
    assert not (shell.folder / "data").exists()


def test_every_bad_finding_has_a_fix(shell: Shell) -> None:
    lines = shell.run("setup.sh", "--check").stdout.splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(("bad", "warn")):
            assert after.strip().startswith("fix: "), line


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("5.4.2", "ok    gpu       NVIDIA GPU with driver 550, described in /etc/cdi/nvidia.yaml"),
        (
            "4.9.3",
            "warn  gpu       NVIDIA GPU .*; Podman 4.9.3 gives none to a pod, so the processor computes",
        ),
    ],
)
def test_a_gpu_is_usable_where_a_pod_can_have_it(
    shell: Shell, tmp_path: Path, version: str, said: str
) -> None:
    """The check as it is, on a host whose GPU is made up."""
    shutil.copytree(CHECKOUT / "scripts", tmp_path / "scripts")
    made_up = "gpu_state() { echo usable; }\ngpu_driver() { echo 550; }\n"
    made_up += "gpu_specification() { echo /etc/cdi/nvidia.yaml; }\n"
    (tmp_path / "scripts" / "lib" / "gpu.sh").write_text(made_up, encoding="utf-8")
    shell.stub("podman", f"#!/bin/sh\necho {version}\n")
    answer = subprocess.run(
        ["bash", tmp_path / "scripts/checks/gpu.sh", "pod"],
        env=shell.variables, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert re.fullmatch(said, answer.stdout.splitlines()[0])


def test_the_embedded_mode_needs_no_podman(shell: Shell) -> None:
    answer = shell.run("setup.sh", "--check", "--embedded")
    assert "podman" not in answer.stdout
    assert re.search(r"^ok    python    Python 3\.", answer.stdout, re.M)


def test_a_busy_port_is_named_with_its_variable(shell: Shell) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        shell.variables["AI_SEMBLE_NLP__PORT"] = port
        answer = shell.run("setup.sh", "--check", "--embedded")
    assert answer.returncode == 1
    assert f"port {port} is in use" in answer.stdout
    assert "AI_SEMBLE_NLP__PORT" in answer.stdout


def test_an_unreachable_index_is_a_warning_with_its_fix(shell: Shell) -> None:
    shell.variables["PIP_INDEX_URL"] = "http://127.0.0.1:9/simple"
    answer = shell.run("setup.sh", "--check", "--embedded")
    assert re.search(r"^warn  network   127.0.0.1 cannot be reached.*\n +fix: Check", answer.stdout, re.M)


def test_setup_of_the_embedded_mode_installs_and_does_not_start(shell: Shell, tmp_path: Path) -> None:
    shell.install_embedded()
    answer = shell.run("setup.sh", "--embedded")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.splitlines()[-1] == "ai-semble models pull"
    assert "./scripts/deploy.sh start --embedded" in answer.stderr
