"""A service that was taken over starts a shell"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from typing import Any

import httpx
import pytest

from ai_semble.topology import SERVICES
from tests.hosts.pod_world import PYTHON, PodWorld, container
from tests.support.attacks import attack
from tests.support.worlds import World

# Beside a service: the filters of its processes, and, with as many of its own, an attempt to start a program.
TRY = """
import errno, json, subprocess, sys
import psutil
from ai_semble import programs

def filters(pid):
    lines = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status"))
    return int(lines["NoNewPrivs"]), int(lines["Seccomp_filters"])

service = psutil.Process(int(sys.argv[1]))
found = {"service": filters(service.pid)}
found["children"] = [filters(child.pid) for child in service.children(recursive=True)]
programs.give_up()
found["own"] = filters("self")
try:
    subprocess.run(["/bin/sh", "-c", "true"])
except OSError as error:
    found["shell"] = errno.errorcode[error.errno]
print(json.dumps(found))
"""


def beside(world: World, service: str) -> dict[str, Any]:
    """What the attempt says."""
    if isinstance(world, PodWorld):
        said = world.host.run(
            shlex.join(["podman", "exec", container(service), PYTHON, "-c", TRY, "1"])
        ).stdout
    else:
        command = [sys.executable, "-c", TRY, str(world.processes()[service])]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    found: dict[str, Any] = json.loads(said)
    return found


@attack(
    threat="It starts a shell or another program",
    control="Services that start no program have given up that they can; of the others, what computes has",
    file="containers/base/src/ai_semble/programs.py",
)
@pytest.mark.parametrize("service", SERVICES)
def test_it_starts_no_program(world: World, api: httpx.Client, service: str) -> None:
    if world.target == "inprocess":
        pytest.skip("a service has no process of its own; run with --target=embedded, quadlet or kube")
    # Those that compute are there.
    assert api.post("/ai/llm/completion", json={"prompt": "Hello", "max_tokens": 1}).status_code == 200
    records = {"operation": "analyze", "data": {"records": [{"id": 1}]}}
    assert api.post("/data/process", json=records).status_code == 200
    found = beside(world, service)
    assert found["shell"] == "EPERM"
    those = found["children"] if SERVICES[service].starts_programs else [found["service"]]
    assert those, "there is a process that computes"
    assert [one for one in those if one != found["own"]] == []
