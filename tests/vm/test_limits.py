"""What a service may take of the machine. A fork bomb is among the attacks, of which this tier runs it, too."""

from __future__ import annotations

from pathlib import PurePosixPath

import httpx
import pytest

from ai_semble.render.table import CONTAINERS
from ai_semble.topology import VISION
from tests.hosts.environment import Installed
from tests.hosts.host import Host
from tests.machine.belongings import eventually
from tests.support.attacks import attack
from tests.vm.processes import first_processes

GIB = 1024**3
BACK_WITHIN_S = 120


def group(host: Host, process: int) -> PurePosixPath:
    """The control group that Podman made for a container."""
    inside = host.run(f"cat /proc/{process}/cgroup").stdout.strip().removeprefix("0::")
    return PurePosixPath(f"/sys/fs/cgroup{inside}")


def test_the_kernel_holds_every_service_to_the_limits_of_its_unit(running: Installed) -> None:
    first = first_processes(running.host)
    for wanted in CONTAINERS:
        folder = group(running.host, first[wanted.service.name])
        said = running.host.run(f"cd {folder} && cat memory.max cpu.max pids.max").stdout
        memory, quota, period, processes = said.split()
        assert int(memory) == wanted.memory_gib * GIB, wanted.service.name
        assert int(quota) == wanted.cpus * int(period), wanted.service.name
        assert int(processes) == wanted.pids, wanted.service.name


@attack(
    threat="A memory bomb: a service takes more memory than the machine can give",
    control="`Memory=` of each container: the kernel ends that one alone, and it is started again",
    file="containers/base/src/ai_semble/render/table.py",
)
@pytest.mark.thorough
def test_a_service_over_its_memory_is_killed_alone_and_comes_back(
    running: Installed, api: httpx.Client
) -> None:
    host, before = running.host, first_processes(running.host)
    folder, within_s = group(host, before[VISION.name]), BACK_WITHIN_S * host.slowness
    # Less than it uses already: the kernel ends it as it would when it grew.
    host.run(f"echo 32M > {folder}/memory.max", check=False)
    eventually(
        lambda: first_processes(host)[VISION.name] not in (0, before[VISION.name]),
        "another process serves vision",
        within_s,
    )
    assert folder.name in host.run("journalctl --dmesg --grep oom-kill --no-pager", user="root").stdout
    assert api.get("/health/live").status_code == 200
    assert api.post("/ai/nlp/process", json={"text": "Good.", "task": "sentiment"}).status_code == 200
    eventually(lambda: api.get("/health").json()["status"] == "ready", "vision is ready again", within_s)
    after = first_processes(host)
    assert {name for name in before if before[name] != after[name]} == {VISION.name}
    assert int(host.run(f"cat {group(host, after[VISION.name])}/memory.max").stdout) > GIB
