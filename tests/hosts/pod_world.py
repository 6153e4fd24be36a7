"""The world of the integration suite in which the pod runs on a real host."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ai_semble.topology import SERVICES
from tests.hosts.host import Host
from tests.support.worlds import World

PYTHON = "/opt/ai-semble/bin/python"
KNOCK = """
import json, sys, urllib.error, urllib.request
url, body = json.load(sys.stdin)
headers = {"Content-Type": "application/json"}
request = urllib.request.Request(url, json.dumps(body).encode(), headers)
try:
    print(urllib.request.urlopen(request).read().decode())
except urllib.error.HTTPError as error:
    print(error.read().decode())
"""
# The containers' own writable places: their temporary file systems and volumes.
WRITTEN = "find / -xdev -newer /run/.containerenv -type f; find /tmp /var/tmp /run /var/lib/ai-semble -type f"


def container(service: str) -> str:
    """The name of a service's container, as on the front page."""
    return f"ai-semble-{service}"


@dataclass(frozen=True)
class PodWorld(World):
    """The pod, reached through a tunnel; what the other worlds look up on this machine is asked of the host."""

    host: Host = field(kw_only=True)

    @property
    def slowness(self) -> int:
        return self.host.slowness

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        line = shlex.join(["podman", "exec", container("orchestrator"), "ai-semble", *words])
        return self.host.run(line, check=check, timeout=300)

    def knock(self, service: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """From the service's own container: where others reach it depends on the topology."""
        url = f"http://127.0.0.1:{SERVICES[service].port}{path}"
        line = shlex.join(["podman", "exec", "--interactive", container(service), PYTHON, "-c", KNOCK])
        problem: dict[str, Any] = json.loads(self.host.run(line, input=json.dumps([url, body])).stdout)
        return problem

    def written_files(self) -> list[str]:
        lines = [
            shlex.join(["podman", "exec", container(name), "bash", "-c", f"{{ {WRITTEN}; }} 2>&-; true"])
            for name in SERVICES
        ]
        return self.host.run("\n".join(lines)).stdout.splitlines()

    def processes(self) -> dict[str, int]:
        """As the host numbers them: inside, each is the first one of its container."""
        names = " ".join(container(name) for name in SERVICES)
        told = self.host.run(
            f"podman inspect --type container --format '{{{{.Name}}}} {{{{.State.Pid}}}}' {names}",
            check=False,
        ).stdout
        found = {name.removeprefix("/"): int(pid) for name, pid in map(str.split, told.splitlines())}
        return {name: found.get(container(name), 0) for name in SERVICES}

    def signal(self, service: str, number: signal.Signals) -> None:
        # Not by `podman kill`, after which Podman 4 takes the container to be stopped on purpose.
        self.host.run(f"podman unshare kill -{number.value} {self.processes()[service]}")

    def logs(self) -> str:
        return self.host.report()
