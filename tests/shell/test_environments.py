"""deploy.sh --env and env: names, ports, what is left of one that could not be made; all that needs no Podman."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shell.conftest import CHECKOUT, Shell
from tests.support.worlds import ai_semble

TOOLS = ("chmod", "cp", "du", "find", "od", "sleep", "stat", "tar", "test", "timeout", "xargs")
# What runs is told which environment is meant, and where its settings are.
TELLS = """#!/bin/sh
case "$*" in
  *running) exit 1 ;;
  *port) echo 8080; exit ;;
  *expose.address) exec {ai_semble} "$@" ;;
  *health) echo "port ${AI_SEMBLE_ORCHESTRATOR__PORT-of its settings}"; exit ;;
esac
echo "ai-semble $* of $AI_SEMBLE_ENVIRONMENT__NAME by ${AI_SEMBLE_CONFIG:-the default}"
"""


@pytest.fixture
def user(shell: Shell) -> Shell:
    """Someone with the embedded mode, whose programs say how they were called."""
    for name in TOOLS:
        found = shutil.which(name)
        assert found
        (shell.bin / name).symlink_to(found)
    shell.stub("getsubids", "#!/bin/sh\necho 0: you 100000 65536\n")
    shell.install_embedded()
    (shell.venv / "bin" / "ai-semble").write_text(TELLS.replace("{ai_semble}", ai_semble()), encoding="utf-8")
    shell.variables |= {"XDG_RUNTIME_DIR": str(shell.folder), "XDG_STATE_HOME": str(shell.folder / "state")}
    return shell


def deploy(user: Shell, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    answer = user.run("deploy.sh", *words)
    assert answer.returncode == status, answer.stderr
    return answer


def create(user: Shell, name: str, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    return deploy(user, "env", "create", name, "--embedded", *words, status=status)


def definition(user: Shell, name: str) -> dict[str, str]:
    text = folder(user, name).joinpath("environment.conf").read_text(encoding="utf-8")
    return dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))


def folder(user: Shell, name: str) -> Path:
    return user.folder / ".config" / f"ai-semble-{name}"


def listed(user: Shell) -> dict[str, dict[str, object]]:
    return {one["name"]: one for one in json.loads(deploy(user, "list", "--json").stdout)}


@pytest.mark.parametrize(
    "name",
    [
        "Lab",
        "1lab",
        "lab-",
        "a--b",
        "a" * 33,
        "dev",
        "default",
        "llm",
        "my-data-processor",
        "infra",
        "x/../y",
        "lab;ls",
        "",
    ],
)
def test_a_name_that_cannot_be_is_refused_and_nothing_is_made(user: Shell, name: str) -> None:
    answer = create(user, name, status=2)
    assert "\nhint:  " in answer.stderr
    assert not list(user.folder.glob(".config/ai-semble*"))


@pytest.mark.parametrize(
    "words",
    [
        ["--port", "80"], ["--port", "http"], ["--memory", "8"], ["--memory", "lots"], ["--cpus", "0"],
        ["--cpus", "08"], ["--cpus", "-1"], ["--gpu", "first"], ["--models", "all"], ["--colour", "red"], ["--port"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_wish_that_cannot_be_is_refused_and_nothing_is_made(user: Shell, words: list[str]) -> None:
    assert "hint:" in create(user, "lab", *words, status=2).stderr
    assert not folder(user, "lab").exists()


def test_each_has_ports_and_settings_of_its_own_and_the_default_one_keeps_its(user: Shell) -> None:
    assert "Without effect" not in create(user, "lab").stderr
    assert "Without effect: --memory" in create(user, "big-lab", "--cpus", "1.5", "--memory", "2g").stderr
    ports = {name: int(definition(user, name)["port"]) for name in ("lab", "big-lab")}
    assert ports["big-lab"] - ports["lab"] >= 5, "the embedded mode has five ports"
    settings = folder(user, "lab").joinpath("ai-semble.toml").read_text(encoding="utf-8")
    assert f"[data]\nport = {ports['lab'] + 4}\n" in settings
    assert definition(user, "lab")["number"] != definition(user, "big-lab")["number"]
    told = deploy(user, "status", "--env", "big-lab").stdout
    assert told == f"ai-semble embedded status of big-lab by {folder(user, 'big-lab')}/ai-semble.toml\n"
    assert deploy(user, "status").stdout == "ai-semble embedded status of  by the default\n"
    found = listed(user)
    assert list(found) == ["default", "big-lab", "lab"]
    assert (found["big-lab"]["cpus_limit"], found["big-lab"]["memory_limit"]) == (1.5, "2g")
    assert found["lab"]["port"] == ports["lab"]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield int(listening.getsockname()[1])


def test_a_port_that_another_program_has_is_not_given(user: Shell, taken: int) -> None:
    assert (
        f"port {taken} is in use by another program"
        in create(user, "lab", "--port", str(taken), status=1).stderr
    )
    assert f"port {taken} is in use" in create(user, "lab", "--port", str(taken - 4), status=1).stderr
    assert not folder(user, "lab").exists()


def test_a_port_that_is_promised_to_another_environment_is_not_given(user: Shell) -> None:
    create(user, "lab", "--port", "18500")
    assert (
        "port 18504 belongs to another environment"
        in create(user, "other", "--port", "18504", status=1).stderr
    )
    assert "port 8080 belongs to another" in create(user, "other", "--port", "8080", status=1).stderr


def test_the_variable_of_the_default_ones_port_is_no_others_but_says_what_setup_gives(user: Shell) -> None:
    create(user, "lab")
    user.variables["AI_SEMBLE_ORCHESTRATOR__PORT"] = "18765"
    assert deploy(user, "health", "--env", "lab").stdout == "port of its settings\n"
    assert deploy(user, "health").stdout == "port 18765\n"
    user.bash(
        f"""set -euo pipefail
        source {CHECKOUT}/scripts/lib/common.sh
        source {CHECKOUT}/scripts/lib/backends.sh
        pod_choose other
        environment_prepare quadlet"""
    )
    assert definition(user, "other")["port"] == "18765"


def test_many_that_are_made_at_once_have_nothing_in_common(user: Shell) -> None:
    names = [f"lab{number}" for number in range(6)]
    command = [str(CHECKOUT / "scripts/deploy.sh"), "env", "create", "--embedded"]
    made = [
        subprocess.Popen([*command, name], env=user.variables, stderr=subprocess.PIPE, text=True)
        for name in names
    ]
    for one in made:
        _, said = one.communicate(timeout=60)
        assert one.returncode == 0, said
    definitions = [definition(user, name) for name in names]
    for key in ("port", "number"):
        assert len({one[key] for one in definitions}) == len(names), key


def test_one_whose_creation_was_killed_says_so_and_is_finished_by_the_next(user: Shell) -> None:
    create(user, "lab")
    before = definition(user, "lab")
    file = folder(user, "lab") / "environment.conf"
    file.write_text(file.read_text(encoding="utf-8").replace("state=ready", "state=making"), encoding="utf-8")
    assert "env create lab" in deploy(user, "start", "--env", "lab", status=1).stderr
    assert listed(user)["lab"]["state"] == "half made"
    assert "is made now" in create(user, "lab").stderr
    assert definition(user, "lab") | {"created": ""} == before | {"created": ""}, "it kept its port"
    assert "there is an environment lab already" in create(user, "lab", status=1).stderr


def test_nothing_is_left_of_one_that_cannot_be_made(user: Shell) -> None:
    answer = create(user, "lab", "--models", "private", status=1)
    assert "one folder of models" in answer.stderr
    assert "Nothing is left of the environment lab" in answer.stderr
    assert not folder(user, "lab").exists()


def test_one_that_fails_takes_nothing_along_that_was_there_before(user: Shell) -> None:
    kept = user.folder / "data/ai-semble/environments/lab/data/ai.csv"
    kept.parent.mkdir(parents=True)
    kept.write_text("a\n1\n", encoding="utf-8")
    answer = create(user, "lab", "--models", "private", status=1).stderr
    assert "there is something of an environment lab already" in answer
    assert "start --env lab --embedded" in answer
    assert kept.exists()


def test_the_list_is_json_for_a_user_of_a_domain_too(user: Shell) -> None:
    user.stub("id", "#!/bin/bash\nprintf '%s\\n' 'CORP\\alice'\n")
    create(user, "lab")
    assert listed(user)["lab"]["owner"] == "CORP\\alice"
    assert "knows only --json" in deploy(user, "env", "list", "--table", status=2).stderr


def test_what_is_not_there_is_named_with_what_makes_it(user: Shell) -> None:
    for words in (["start"], ["status"], ["stop"], ["logs"], ["models", "list"]):
        answer = deploy(user, *words, "--env", "lab", status=1)
        assert answer.stderr.splitlines()[0] == "error: there is no environment lab"
        assert "./scripts/deploy.sh env create lab" in answer.stderr
    assert "there is no environment lab" in deploy(user, "env", "delete", "lab", "--yes", status=1).stderr


def test_one_that_is_deleted_is_gone_with_its_data_and_no_other_is(user: Shell) -> None:
    create(user, "lab")
    create(user, "other", "--from", "lab")
    data = user.folder / "data/ai-semble/environments"
    for name in ("lab", "other", "default"):
        (data / name / "data").mkdir(parents=True)
    refused = deploy(user, "env", "delete", "lab", status=1).stderr
    assert "Lost for good: its datasets and jobs" in refused
    assert folder(user, "lab").exists()
    assert "Deleted the environment lab" in deploy(user, "env", "delete", "lab", "--yes").stderr
    assert not folder(user, "lab").exists()
    assert {path.name for path in data.iterdir()} == {"other", "default"}
    assert list(listed(user)) == ["default", "other"]
    deploy(user, "env", "delete", "default", "--yes", status=2)


@pytest.fixture
def lab_runs(user: Shell) -> Iterator[subprocess.Popen[bytes]]:
    """An environment `lab` whose processes run, and that nothing stops."""
    create(user, "lab")
    program = (user.venv / "bin/ai-semble").read_text(encoding="utf-8")
    failing = program.replace('case "$*" in', 'case "$*" in\n  *down) exit 1 ;;')
    (user.venv / "bin/ai-semble").write_text(failing, encoding="utf-8")
    running = subprocess.Popen(["bash", "-c", "read -r", "ai-semble"], stdin=subprocess.PIPE)
    state = user.folder / "state/ai-semble/lab/run/supervisor.json"
    state.parent.mkdir(parents=True)
    state.write_text(f'{{"pid":{running.pid}}}', encoding="utf-8")
    yield running
    running.kill()
    running.communicate()


def test_one_that_does_not_stop_is_not_deleted_under_its_processes(
    user: Shell, lab_runs: subprocess.Popen[bytes]
) -> None:
    for words in (["delete", "lab", "--yes"], ["rename", "lab", "new"], ["clone", "lab", "copy"]):
        assert "stop --env lab" in deploy(user, "env", *words, status=1).stderr
    assert folder(user, "lab").exists()
    assert lab_runs.poll() is None


def test_the_packages_stay_while_another_environment_runs_from_them(
    user: Shell, lab_runs: subprocess.Popen[bytes]
) -> None:
    assert "stop --env lab" in deploy(user, "uninstall", "--embedded", "--yes", status=1).stderr
    assert "/python" not in deploy(user, "keys", "list", "--embedded").stdout
    lab_runs.kill()
    lab_runs.communicate()
    assert "env delete lab" in deploy(user, "uninstall", "--embedded", "--yes", "--data", status=1).stderr
    assert (user.venv / "bin/ai-semble").exists()


def test_settings_of_another_are_taken_but_not_its_door(user: Shell) -> None:
    default = user.folder / ".config/ai-semble/ai-semble.toml"
    default.parent.mkdir(parents=True)
    text = '[llm]\ncontext = 8192\n[ orchestrator ] # ours\n  port = 9\n[expose]\n  address = "0.0.0.0"\n'
    default.write_text(text, encoding="utf-8")
    said = create(user, "lab").stderr
    taken_over = folder(user, "lab").joinpath("ai-semble.toml").read_text(encoding="utf-8")
    assert "context = 8192" in taken_over
    assert '#   address = "0.0.0.0"' in taken_over
    assert tomllib.loads(taken_over)["orchestrator"]["port"] == int(definition(user, "lab")["port"])
    assert "Not taken over: expose.address" in said


@pytest.mark.parametrize("settings", ['["expose"]\naddress = "0.0.0.0"\n', "[llm\n"])
def test_none_is_made_that_others_would_reach_or_that_could_not_start(user: Shell, settings: str) -> None:
    default = user.folder / ".config/ai-semble/ai-semble.toml"
    default.parent.mkdir(parents=True)
    default.write_text(settings, encoding="utf-8")
    assert "Nothing is left of the environment lab" in create(user, "lab", status=1).stderr


def test_twenty_are_listed_in_a_moment(user: Shell) -> None:
    create(user, "lab")
    for number in range(19):
        shutil.copytree(folder(user, "lab"), folder(user, f"lab{number}"))
    before = os.times()
    assert len(listed(user)) == 21
    used = os.times()
    worked = used.children_user - before.children_user + used.children_system - before.children_system
    assert worked < 1, "seconds of the processor, which other work on the machine does not count"


def test_one_of_processes_can_be_meant_by_variables_alone(user: Shell) -> None:
    user.variables["AI_SEMBLE_ENVIRONMENT__NAME"] = "lab"
    assert deploy(user, "status", "--embedded").stdout == "ai-semble embedded status of lab by the default\n"
    create(user, "lab")
    assert "environment lab" not in deploy(user, "status").stderr
    assert str(folder(user, "lab")) in deploy(user, "status").stdout


def test_the_development_pod_is_no_other_environment(user: Shell) -> None:
    assert "exclude each other" in deploy(user, "status", "--env", "lab", "--dev", status=2).stderr
    assert "status --dev" in deploy(user, "status", "--env", "dev", status=2).stderr
    assert "needs the name" in deploy(user, "status", "--env", status=2).stderr
