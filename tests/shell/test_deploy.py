"""deploy.sh finds the backend, hands over the words, and says what is missing."""

from __future__ import annotations

import subprocess

import pytest

from ai_semble.topology import SERVICES
from tests.shell.conftest import CHECKOUT, Shell

VERBS = [
    "start",
    "stop",
    "restart",
    "status",
    "health",
    "logs",
    "update",
    "models",
    "keys",
    "list",
    "uninstall",
]
PODMAN = "#!/bin/sh\necho {version}\n"


def test_help_is_the_comment_at_its_head(shell: Shell) -> None:
    answer = shell.run("deploy.sh", "--help")
    assert answer.returncode == 0
    assert answer.stdout.startswith("Run Ai-semble on this machine.\n\nUsage: ./scripts/deploy.sh")
    for verb in VERBS:
        assert f"\n  {verb}" in answer.stdout


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nonsense"],
        ["start", "--nonsense"],
        ["stop", "now"],
        ["status", "--yaml"],
        ["models"],
        ["keys"],
        ["start", "--dev", "--embedded"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_a_hint(shell: Shell, words: list[str]) -> None:
    shell.install_embedded()
    answer = shell.run("deploy.sh", *words)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("error: ")
    assert "\nhint:  ./scripts/deploy.sh" in answer.stderr


def test_start_without_podman_names_it_and_the_embedded_mode(shell: Shell) -> None:
    answer = shell.run("deploy.sh", "start")
    assert answer.returncode == 1
    assert "Podman is not installed" in answer.stderr
    assert "start --embedded" in answer.stderr
    assert "./scripts/deploy.sh start --embedded" in answer.stderr


@pytest.mark.parametrize("version", ["4.3.1", "5.4.2"])
def test_start_without_images_says_how_they_are_made(shell: Shell, version: str) -> None:
    shell.stub("podman", f"#!/bin/sh\n[ $1 = version ] && echo {version} && exit\nexit 1\n")
    answer = shell.run("deploy.sh", "start")
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        "error: Ai-semble is not set up: images are missing",
        "hint:  Make them: ./scripts/setup.sh",
    ]


def test_a_podman_that_is_too_old_is_said(shell: Shell) -> None:
    shell.stub("podman", PODMAN.format(version="3.4.4"))
    answer = shell.run("deploy.sh", "start")
    assert answer.returncode == 1
    assert "Podman 3.4.4 is too old" in answer.stderr
    assert "--embedded" in answer.stderr


def test_a_podman_that_does_not_work_is_said(shell: Shell) -> None:
    shell.stub("podman", "#!/bin/sh\nexit 125\n")
    answer = shell.run("deploy.sh", "start")
    assert answer.returncode == 1
    assert "hint:  Run: podman info" in answer.stderr


def test_an_old_python_is_said(shell: Shell) -> None:
    (shell.bin / "python3").unlink()
    shell.stub("python3", '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit\nexit 1\n')
    answer = shell.run("deploy.sh", "start", "--embedded")
    assert answer.returncode == 1
    assert "there is no Python 3.11 or newer (Python 3.9.2)" in answer.stderr
    assert "AI_SEMBLE_PYTHON" in answer.stderr


def test_a_wrong_ai_semble_python_is_said(shell: Shell) -> None:
    shell.variables["AI_SEMBLE_PYTHON"] = "/nowhere/python"
    answer = shell.run("deploy.sh", "start", "--embedded")
    assert answer.returncode == 1
    assert "AI_SEMBLE_PYTHON is /nowhere/python" in answer.stderr


def test_start_makes_the_environment_fetches_models_and_starts(shell: Shell) -> None:
    shell.install_embedded()
    answer = shell.run("deploy.sh", "start", "--embedded")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines() == ["ai-semble models pull", "ai-semble embedded up"]


def test_a_first_start_without_room_for_packages_and_models_fetches_neither(shell: Shell) -> None:
    (shell.bin / "python3").unlink()
    shell.stub("python3", '#!/bin/sh\n[ "$1" = -c ] && exit\necho "$2" >>"$HOME/asked"\n[ "$2" != room ]\n')
    assert shell.run("deploy.sh", "start", "--embedded").returncode == 1
    assert (shell.folder / "asked").read_text() == "room\n"


def test_a_plain_start_of_what_runs_embedded_says_so(shell: Shell) -> None:
    shell.install_embedded(running=True)
    answer = shell.run("deploy.sh", "start")
    assert answer.stdout.splitlines()[-1] == "ai-semble embedded up"


@pytest.mark.parametrize(
    ("words", "handed_over"),
    [
        (["stop"], "embedded down"),
        (["status"], "embedded status"),
        (["status", "--json"], "embedded status --json"),
        (["health", "--json"], "embedded health --json"),
        (["logs", "--follow", "llm"], "embedded logs --follow llm"),
        (["models", "list"], "models list"),
        (["keys", "create", "ci", "--scope", "llm"], "keys create ci --scope llm"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_words_reach_the_backend(shell: Shell, words: list[str], handed_over: str) -> None:
    shell.install_embedded()
    answer = shell.run("deploy.sh", *words)
    assert (answer.returncode, answer.stdout) == (0, f"ai-semble {handed_over}\n")


def test_packages_from_before_a_pull_tell_the_port_that_is_configured(shell: Shell) -> None:
    shell.install_embedded()
    old = """#!/bin/sh
    case "$*" in
      'embedded running') ;;
      'config get orchestrator.port') echo 18080 ;;
      *) echo "Usage: ai-semble" >&2; exit 2 ;;
    esac"""
    (shell.venv / "bin" / "ai-semble").write_text(old, encoding="utf-8")
    answer = shell.run("deploy.sh", "list")
    assert answer.stdout.splitlines()[1].split()[:4] == ["default", "embedded", "running", "18080"]
    assert answer.stderr == ""


def test_models_where_a_pod_can_be_but_is_not_set_up_install_nothing(shell: Shell) -> None:
    shell.stub("podman", PODMAN.format(version="5.4.2"))
    answer = shell.run("deploy.sh", "models", "list")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "hint:  Set it up: ./scripts/setup.sh" in answer.stderr
    assert "./scripts/deploy.sh models list --embedded" in answer.stderr


@pytest.mark.parametrize("verb", ["stop", "status", "health", "logs", "restart"])
def test_before_the_first_start_every_verb_says_how_to_start(shell: Shell, verb: str) -> None:
    answer = shell.run("deploy.sh", verb)
    assert answer.returncode == 1
    assert "Ai-semble is not set up for this user" in answer.stderr
    assert "start --embedded" in answer.stderr


def test_services_ports_and_images_are_those_of_the_one_table() -> None:
    words = """source scripts/lib/common.sh; source scripts/lib/backends.sh
    for name in "${POD_SERVICES[@]}"; do echo "$name ${POD_PORTS[$name]}"; done
    echo "${IMAGES[*]}"; echo "${UPDATE_ORDER[*]}" """
    told = subprocess.run(["bash", "-euc", words], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    *ports, images, order = told.stdout.splitlines()
    assert ports == [f"{service.name} {service.port}" for service in SERVICES.values()]
    assert images.split() == ["base", *SERVICES]
    assert order.split() == [*reversed(SERVICES)], "the orchestrator is switched last"
