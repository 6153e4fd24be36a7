"""Another environment beside the one that runs: `lab`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ai_semble.topology import SERVICES
from tests.hosts.environment import Installed

NAME = "lab"
PREFIX = f"ai-semble-{NAME}"
DEFAULT = "ai-semble"
PYTHON = "/opt/ai-semble/bin/python"


@dataclass(frozen=True)
class Second:
    """It runs; `default` are the first processes of the other one's containers from before it was made."""

    on: Installed
    port: int
    default: dict[str, str]

    def deploy(self, verb: str, *words: str, check: bool = True) -> str:
        """A verb about it, and what was said on both outputs."""
        done = self.on.deploy(verb, "--env", NAME, *words, check=check)
        return done.stdout + done.stderr

    def get(self, path: str, port: int | None = None, *, token: str = "") -> Any:
        """What an API answers on the host; its own unless another port is named."""
        header = f"--header 'Authorization: Bearer {token}'" if token else ""
        url = f"http://127.0.0.1:{port or self.port}{path}"
        return json.loads(self.on.host.run(f"curl --silent --max-time 20 {header} {shlex.quote(url)}").stdout)

    def inside(self, service: str, script: str, *, prefix: str = PREFIX, user: str = "") -> str:
        """What Python says in a container, as the service's user, or as another one; errors as well."""
        words = [
            "podman",
            "exec",
            *(["--user", user] if user else []),
            f"{prefix}-{service}",
            PYTHON,
            "-c",
            script,
        ]
        done = self.on.host.run(shlex.join(words), check=False, timeout=60)
        return done.stdout + done.stderr


def processes(on: Installed, prefix: str) -> dict[str, str]:
    """The containers of an environment, with their first processes."""
    names = {f"{prefix}-{service}" for service in SERVICES}
    lines = on.host.run("podman ps --format '{{.Names}} {{.Pid}}'").stdout.splitlines()
    return {name: pid for name, pid in map(str.split, lines) if name in names}


def address_of(on: Installed, prefix: str) -> str:
    """Of the orchestrator, on the network of its environment."""
    names = f"$(podman ps --quiet --filter network={prefix})"
    form = f'{{{{(index .NetworkSettings.Networks "{prefix}").IPAddress}}}}'
    found = on.host.run(f"podman inspect --format '{form}' {names} 2>/dev/null", check=False).stdout.split()
    if not found:  # Podman 5 lists the pod's own container alone as one of the network, and only with --all
        infra = f"$(podman pod inspect --format '{{{{.InfraContainerID}}}}' {prefix})"
        found = on.host.run(f"podman inspect --format '{form}' {infra}").stdout.split()
    return found[0]


@contextmanager
def second_environment(on: Installed) -> Iterator[Second]:
    """Made and started; deleted afterwards, if it is there."""
    default = processes(on, DEFAULT)
    assert len(default) == len(SERVICES)
    made = on.deploy("env", "create", NAME, "--memory", "6g", "--cpus", "2").stderr
    port = int(made.split("on port ")[1].split(".")[0])
    try:
        on.deploy("start", "--env", NAME)
        yield Second(on, port, default)
    finally:
        on.deploy("env", "delete", NAME, "--yes", check=False)
