"""The units are written anew when the settings are others than those that they were written for."""

from __future__ import annotations

import os

import pytest

from tests.shell.conftest import CHECKOUT, Shell

# Rendering is the base image's; here it only makes a file, and says that it was asked.
TAKE = f"""
set -euo pipefail
source {CHECKOUT}/scripts/lib/common.sh
source {CHECKOUT}/scripts/lib/images.sh
source {CHECKOUT}/scripts/lib/backends.sh
pod_render() {{ touch "$2/ai-semble.pod" "$2/ai-semble.target" && echo rendered >&2; }}
pod_take_settings "$1"
"""


@pytest.fixture
def pod(shell: Shell) -> Shell:
    shell.stub("systemctl", "#!/bin/sh\n")
    (shell.folder / ".config/ai-semble").mkdir(parents=True)
    shell.bin.joinpath("cp").symlink_to("/bin/cp")
    shell.bin.joinpath("chmod").symlink_to("/bin/chmod")
    return shell


def write(pod: Shell, settings: str, modified_at: int) -> None:
    path = pod.folder / ".config/ai-semble/ai-semble.toml"
    path.write_text(settings, encoding="utf-8")
    os.utime(path, (modified_at, modified_at))


def are_taken(pod: Shell, backend: str) -> bool:
    return "rendered" in pod.bash(TAKE, backend).stderr


@pytest.mark.parametrize("backend", ["quadlet", "kube"])
def test_settings_are_taken_when_they_are_others_be_their_file_newer_or_older(
    pod: Shell, backend: str
) -> None:
    write(pod, "a = 1\n", 2_000_000_000)
    assert are_taken(pod, backend)
    assert not are_taken(pod, backend)
    write(pod, "a = 2\n", 1_000_000_000)
    assert are_taken(pod, backend), "an older file was restored"
    assert not are_taken(pod, backend)
    write(pod, "a = 2\n", 2_000_000_000)
    assert not are_taken(pod, backend), "only the time is another"
