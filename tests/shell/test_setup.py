"""setup.sh says what is wrong with a host, each finding with its fix."""

from __future__ import annotations

import re
import socket
from pathlib import Path

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
    assert re.search(
        r"^warn  network   error: 127.0.0.1 cannot be reached.*\n +fix: Check", answer.stdout, re.M
    )


def test_setup_of_the_embedded_mode_installs_and_does_not_start(shell: Shell, tmp_path: Path) -> None:
    shell.install_embedded()
    answer = shell.run("setup.sh", "--embedded")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.splitlines()[-1] == "ai-semble models pull"
    assert "./scripts/deploy.sh start --embedded" in answer.stderr
