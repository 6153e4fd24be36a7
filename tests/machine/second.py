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

    def get(self, path: str, port: int | None = None) -> Any:
        """What an API answers on the host; its own unless another port is named."""
        url = f"http://127.0.0.1:{port or self.port}{path}"
        return json.loads(self.on.host.run(f"curl --silent --max-time 20 {shlex.quote(url)}").stdout)

    def status(self, secret: str, port: int | None = None) -> int:
        """With which status an API answers a call with this key or token."""
        call = (
            "curl --silent --max-time 20 --output /dev/null --write-out '%{http_code}'"
            f" --header 'Authorization: Bearer {secret}' --header 'Content-Type: application/json'"
            """ --data '{"text": "hello", "task": "language"}'"""
            f" http://127.0.0.1:{port or self.port}/ai/nlp/process"
        )
        return int(self.on.host.run(call).stdout)

    def key(self, name: str) -> str:
        """A new one of its own."""
        key = self.on.deploy("keys", "create", name, "--scope", "nlp", "--env", NAME).stdout.strip()
        assert key.startswith("ais_")
        return key

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
    """Of the orchestrator, on the network of its environment: that of its pod's own container, where there is a pod."""
    form = f'{{{{(index .NetworkSettings.Networks "{prefix}").IPAddress}}}}'
    whose = (
        f"$(podman pod inspect --format '{{{{.InfraContainerID}}}}' {prefix} || echo {prefix}-orchestrator)"
    )
    return on.host.run(f"podman inspect --format '{form}' {whose}").stdout.strip()


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
