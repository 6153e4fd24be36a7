"""deploy.sh models of a pod: what its container is told, and what becomes of the secrets that it is lent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.shell.conftest import Shell

PASSWORD = "word-of-the-index"
# Says how it was called and what it was lent; a wicked one kills who called it.
PODMAN = """#!/bin/sh
for word; do
  case "$word" in
    *:/run/given:ro,z) echo "lent ${{word%%:*}}"; cat "${{word%%:*}}/pip.conf" ;;
    *) echo "$word" ;;
  esac
done
{wicked}
"""


@pytest.fixture
def pod(shell: Shell, tmp_path: Path) -> Shell:
    unit = shell.folder / ".config/containers/systemd/ai-semble/ai-semble.pod"
    unit.parent.mkdir(parents=True)
    unit.touch()
    (tmp_path / "run").mkdir(mode=0o700)
    shell.variables |= {
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "TMPDIR": str(tmp_path),
        "PIP_INDEX_URL": f"https://me:{PASSWORD}@index.example/simple",
    }
    for name in ("chmod", "cp", "find", "realpath"):
        (shell.bin / name).symlink_to(f"/usr/bin/{name}")
    shell.stub("podman", PODMAN.format(wicked=""))
    return shell


def private(pod: Shell) -> set[Path]:
    return set(pod.folder.glob("**/ai-semble-private.*"))


def test_the_volume_is_named_to_who_fetches(pod: Shell) -> None:
    answer = pod.run("deploy.sh", "models", "pull")
    assert answer.returncode == 0, answer.stderr
    assert "AI_SEMBLE_MODELS_PLACE=the volume ai-semble-models" in answer.stdout.splitlines()


def test_secrets_are_lent_in_memory_and_gone_afterwards(pod: Shell) -> None:
    answer = pod.run("deploy.sh", "models", "pull")
    assert f"lent {pod.variables['XDG_RUNTIME_DIR']}/ai-semble-private." in answer.stdout
    assert PASSWORD in answer.stdout
    assert not private(pod)


def test_secrets_of_a_killed_run_are_gone_after_the_next(pod: Shell) -> None:
    pod.stub("podman", PODMAN.format(wicked="kill -9 $PPID"))
    pod.run("deploy.sh", "models", "pull")
    assert len(private(pod)) == 1
    beside = Path(pod.variables["XDG_RUNTIME_DIR"], f"ai-semble-private.{os.getpid()}.abcdef")
    beside.mkdir()
    pod.stub("podman", PODMAN.format(wicked=""))
    assert pod.run("deploy.sh", "models", "pull").returncode == 0
    assert private(pod) == {beside}, "another run that is at work keeps its own"


def test_without_a_place_in_memory_the_folder_for_passing_things_does(pod: Shell) -> None:
    del pod.variables["XDG_RUNTIME_DIR"]
    pod.variables["TMPDIR"] = str(pod.folder / "run")
    answer = pod.run("deploy.sh", "models", "pull")
    assert answer.returncode == 0, answer.stderr
    assert not private(pod)
