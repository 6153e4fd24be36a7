"""When the orchestrator is silent the other services are asked, as seldom and as fast as can be."""

from __future__ import annotations

import re
import shutil

import pytest

from ai_semble.topology import UPSTREAMS
from tests.shell.conftest import CHECKOUT, Shell

# Nothing listens at the port 1.
ASK = f"""
set -euo pipefail
for name in common images backends; do source {CHECKOUT}/scripts/lib/$name.sh; done
for service in "${{POD_SERVICES[@]}}"; do POD_PORTS[$service]=1; done
pod_ask_health 1
"""
# What runs is a file of its name; a container answers when as many are asked as the file `together` says.
PODMAN = """#!/bin/sh
cd {folder} || exit
[ "$1" = exec ] || exit 1
[ -e "$2" ] || exit 125
touch "$2.asked"
while [ "$(ls | grep -c asked)" -lt "$(cat together)" ]; do sleep 0.1; done
shift 2
exec "$@"
"""


@pytest.fixture
def pod(shell: Shell) -> Shell:
    folder = shell.folder / "containers"
    folder.mkdir()
    shell.stub("podman", PODMAN.format(folder=folder))
    for name in ("timeout", "sleep"):
        (shell.bin / name).symlink_to(str(shutil.which(name)))
    return shell


def asked(pod: Shell, *running: str, together: int) -> tuple[list[str], list[str]]:
    """The containers that were asked, and the services that they told of."""
    folder = pod.folder / "containers"
    (folder / "together").write_text(str(together), encoding="utf-8")
    for name in running:
        (folder / f"ai-semble-{name}").touch()
    done = pod.bash(ASK)
    names = [path.stem.removeprefix("ai-semble-") for path in folder.glob("*.asked")]
    return sorted(names), re.findall("^=== health (.+)$", done.stdout, re.MULTILINE)


def test_the_others_are_asked_all_at_once(pod: Shell) -> None:
    assert asked(pod, *UPSTREAMS, together=len(UPSTREAMS)) == (sorted(UPSTREAMS), list(UPSTREAMS))


def test_a_container_is_asked_for_nothing_but_itself(pod: Shell) -> None:
    assert asked(pod, "nlp", together=1) == (["nlp"], ["nlp"])
