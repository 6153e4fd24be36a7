"""Uninstalling, step by step: what each step takes away, what it leaves, and what it says of both.

The last file of this folder by its name: afterwards there is no environment any more.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

import pytest

from ai_semble.topology import SERVICES
from tests.hosts.environment import Installed

IMAGES = {f"localhost/ai-semble/{name}:latest" for name in ("base", *SERVICES)}
MODELS = "ai-semble-models"
DATA, DEV_DATA = ({f"{prefix}-data", f"{prefix}-state"} for prefix in ("ai-semble", "ai-semble-dev"))


@dataclass(frozen=True)
class Step:
    """A command, and what there is of Ai-semble after it."""

    answer: subprocess.CompletedProcess[str]
    files: set[str]
    units: set[str]
    pods: set[str]
    containers: set[str]
    networks: set[str]
    secrets: set[str]
    volumes: set[str]
    images: set[str]
    health: str
    listed: str

    @property
    def said(self) -> str:
        return self.answer.stderr


def deploy(on: Installed, *words: str) -> Step:
    answer = on.deploy(*words, check=False)

    def ours(line: str) -> set[str]:
        return {name for name in on.host.run(line).stdout.split() if "ai-semble" in name}

    return Step(
        answer=answer,
        files=ours("find ~/.config/containers ~/.config/systemd -name 'ai-semble*'"),
        units=ours("systemctl --user list-units --all --plain --no-legend 'ai-semble*' | cut -d' ' -f1"),
        pods=ours("podman pod ls --format '{{.Name}}'"),
        containers=ours("podman ps --all --format '{{.Names}}'"),
        networks=ours("podman network ls --format '{{.Name}}'"),
        secrets=ours("podman secret ls --format '{{.Name}}'"),
        volumes=ours("podman volume ls --format '{{.Name}}'"),
        images=ours("podman images --format '{{.Repository}}:{{.Tag}}'"),
        health=on.host.run("curl --silent --max-time 20 http://127.0.0.1:8080/health", check=False).stdout,
        listed=on.script("./scripts/deploy.sh list 2>&1").stdout,
    )


@pytest.fixture(scope="module")
def both(running: Installed) -> Installed:
    running.deploy("start", "--dev")
    return running


@pytest.fixture(scope="module")
def no_dev(both: Installed) -> Step:
    return deploy(both, "uninstall", "--dev", "--yes")


@pytest.fixture(scope="module")
def no_dev_data(both: Installed, no_dev: Step) -> Step:
    """The development pod once more, and this time with its data."""
    assert not no_dev.answer.returncode
    both.deploy("start", "--dev")
    return deploy(both, "uninstall", "--dev", "--data", "--yes")


@pytest.fixture(scope="module")
def nothing(both: Installed, no_dev_data: Step) -> Step:
    assert not no_dev_data.answer.returncode
    return deploy(both, "uninstall", "--yes")


@pytest.fixture(scope="module")
def again(both: Installed, nothing: Step) -> Step:
    assert not nothing.answer.returncode
    return deploy(both, "uninstall", "--yes")


@pytest.fixture(scope="module")
def no_data(both: Installed, again: Step) -> Step:
    assert again.answer.returncode
    return deploy(both, "uninstall", "--data", "--yes")


@pytest.fixture(scope="module")
def half(both: Installed, no_data: Step) -> Step:
    assert not no_data.answer.returncode
    folder, token = {
        "quadlet": ("systemd/ai-semble", "podman secret create ai-semble-token -"),
        "kube": ("ai-semble", "podman volume create ai-semble-token"),
    }[both.host.recipe.backend]
    both.host.run(
        f"""mkdir -p ~/.config/systemd/user ~/.config/containers/{folder}
        cd ai-semble/{"quadlets" if "systemd" in folder else "pods"}
        cp *.service *.target ~/.config/systemd/user/
        find . -type f ! -name '*.service' ! -name '*.target' -exec cp -t ~/.config/containers/{folder} {{}} +
        echo secret | {token}
        podman volume create ai-semble-models
        printf 'FROM scratch\\nLABEL left=yes\\n' | podman build --quiet --tag localhost/ai-semble/base:latest -"""
    )
    return deploy(both, "uninstall", "--data", "--yes")


def test_without_the_development_pod_the_normal_one_runs_on(no_dev: Step) -> None:
    assert no_dev.answer.returncode == 0, no_dev.said
    assert '"status":"ready"' in no_dev.health.replace(" ", "")
    assert not [name for name in no_dev.containers | no_dev.files | no_dev.units if "ai-semble-dev" in name]
    assert no_dev.pods == no_dev.networks == {"ai-semble"}
    assert "Kept, since other environments use them: the images and models" in no_dev.said
    assert no_dev.images >= IMAGES
    assert no_dev.volumes >= DATA | DEV_DATA | {MODELS}
    assert [line.split()[0] for line in no_dev.listed.splitlines()[1:]] == ["default"]


def test_data_go_only_when_that_is_said_and_only_those_of_that_environment(no_dev_data: Step) -> None:
    assert no_dev_data.answer.returncode == 0, no_dev_data.said
    removed = next(line for line in no_dev_data.said.splitlines() if line.startswith("Removed "))
    # Under Podman 4 the token is a volume, too, and stands before them.
    assert removed.endswith(" ".join(sorted(DEV_DATA)))
    assert not no_dev_data.volumes & DEV_DATA
    assert no_dev_data.volumes >= DATA | {MODELS}
    assert '"status":"ready"' in no_dev_data.health.replace(" ", "")


def test_after_the_last_one_only_data_models_and_settings_are_left(both: Installed, nothing: Step) -> None:
    assert nothing.answer.returncode == 0, nothing.said
    assert not nothing.files | nothing.units | nothing.pods | nothing.containers
    assert not nothing.networks | nothing.secrets | nothing.images
    assert nothing.volumes == DATA | {MODELS}
    kept = " ".join([*sorted(DATA), MODELS])
    assert f"Kept the volumes {kept}; " in nothing.said
    assert "Kept your settings: /home/ai/.config/ai-semble" in nothing.said
    assert "podman image prune" in nothing.said
    both.host.run("test -s ~/.config/ai-semble/ai-semble.toml")
    assert not nothing.health
    assert "There is none. Make one: ./scripts/setup.sh" in nothing.listed


def test_a_second_time_says_that_there_is_nothing(again: Step) -> None:
    assert again.answer.returncode == 1
    assert again.said.startswith("error: Ai-semble is not set up for this user\nhint: ")
    assert again.volumes == DATA | {MODELS}


def test_data_that_were_kept_can_still_be_removed(no_data: Step) -> None:
    assert no_data.answer.returncode == 0, no_data.said
    assert no_data.said.splitlines()[0] == f"Removed the volumes {' '.join([*sorted(DATA), MODELS])}"
    assert not no_data.volumes


def test_what_an_interrupted_setup_left_is_removed(half: Step) -> None:
    """Its units lie there, and systemd has not read them; some of Podman's things are there."""
    assert half.answer.returncode == 0, half.said
    removed = half.said.splitlines()[0]
    assert re.match(r"Removed \d+ units, ", removed), half.said
    for what in ("ai-semble-token", ", 1 image", " ai-semble-models"):
        assert what in removed
    assert not half.files | half.units | half.secrets | half.volumes | half.images
