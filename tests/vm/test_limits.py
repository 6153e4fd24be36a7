"""What a service may take of the machine. A fork bomb is among the attacks, of which this tier runs it, too."""

from __future__ import annotations

from pathlib import PurePosixPath

import httpx
import pytest

from ai_semble.render.table import CONTAINERS
from ai_semble.topology import NLP, UPSTREAMS
from tests.hosts.environment import Installed
from tests.hosts.host import Host
from tests.machine.belongings import eventually
from tests.support.attacks import attack
from tests.vm.processes import first_processes

GIB = 1024**3
BACK_WITHIN_S = 120
# A call of one service, and of another when the first is the one that has to die.
OTHER_WORK = (
    ("/ai/nlp/process", {"text": "Good.", "task": "sentiment"}),
    ("/data/process", {"operation": "analyze", "data": {"records": [{"id": 1, "value": 100}]}}),
)


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
@pytest.mark.parametrize("hog", list(UPSTREAMS))
def test_a_service_over_its_memory_is_killed_alone_and_comes_back(
    running: Installed, api: httpx.Client, hog: str
) -> None:
    host, before = running.host, first_processes(running.host)
    folder, within_s = group(host, before[hog]), BACK_WITHIN_S * host.slowness
    # Less than it uses already: the kernel ends it as it would when it grew.
    host.run(f"echo 32M > {folder}/memory.max", check=False)
    eventually(
        lambda: first_processes(host)[hog] not in (0, before[hog]), f"another process is {hog}", within_s
    )
    assert folder.name in host.run("journalctl --dmesg --grep oom-kill --no-pager", user="root").stdout
    assert api.get("/health/live").status_code == 200
    path, body = OTHER_WORK[hog == NLP.name]
    assert api.post(path, json=body).status_code == 200
    eventually(lambda: api.get("/health").json()["status"] == "ready", f"{hog} is ready again", within_s)
    after = first_processes(host)
    assert {name for name in before if before[name] != after[name]} == {hog}
    assert int(host.run(f"cat {group(host, after[hog])}/memory.max").stdout) > GIB
