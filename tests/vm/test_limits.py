"""What a service may take of the machine. A fork bomb is among the attacks, of which this tier runs it, too."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath

import httpx

from ai_semble.render.table import CONTAINERS
from ai_semble.topology import NLP, SERVICES, VISION
from tests.hosts.environment import Installed
from tests.hosts.host import Host
from tests.hosts.pod_world import PYTHON, container
from tests.machine.belongings import eventually

GIB = 1024**3
BACK_WITHIN_S = 300
PIECE = 128 * 1024**2
# It takes one piece after the other and says so. Huge pages, since an emulated processor is slow at faults.
HOG = f"""
import mmap
kept = []
while True:
    kept.append(mmap.mmap(-1, {PIECE}))
    kept[-1].madvise(mmap.MADV_HUGEPAGE)
    for place in range(0, {PIECE}, 4096):
        kept[-1][place] = 1
    print("taken", flush=True)
"""


def group(host: Host, service: str) -> PurePosixPath:
    """The control group that Podman made for a service's container."""
    line = f"podman inspect --type container --format '{{{{.State.Pid}}}}' {container(service)}"
    pid = host.run(line).stdout.strip()
    inside = host.run(f"cat /proc/{pid}/cgroup").stdout.strip().removeprefix("0::")
    return PurePosixPath(f"/sys/fs/cgroup{inside}")


def first_processes(host: Host) -> dict[str, str]:
    """Each container's first process; another number, or none, when it ended."""
    names = " ".join(container(service) for service in SERVICES)
    line = f"podman inspect --type container --format '{{{{.Name}}}} {{{{.State.Pid}}}}' {names}"
    return dict(said.split() for said in host.run(line, check=False).stdout.splitlines())


def test_the_kernel_holds_every_service_to_the_limits_of_its_unit(running: Installed) -> None:
    for wanted in CONTAINERS:
        folder = group(running.host, wanted.service.name)
        said = running.host.run(
            f"cd {folder} && cat memory.max memory.swap.max cpu.max pids.max"
        ).stdout.split()
        memory, _, quota, period, processes = said
        assert int(memory) == wanted.memory_gib * GIB, wanted.service.name
        assert int(quota) == wanted.cpus * int(period), wanted.service.name
        assert int(processes) == wanted.pids, wanted.service.name


def test_a_service_over_its_memory_is_killed_alone_and_comes_back(
    running: Installed, api: httpx.Client
) -> None:
    host, before = running.host, first_processes(running.host)
    folder = group(host, VISION.name)
    # Less than it uses already: the kernel ends it as it would when it grew.
    host.run(f"echo 32M > {folder}/memory.max", check=False)
    eventually(
        lambda: (
            first_processes(host).get(container(VISION.name), "0")
            not in ("0", before[container(VISION.name)])
        ),
        "another process serves vision",
        BACK_WITHIN_S,
    )
    assert str(folder) in host.run("journalctl --dmesg --grep oom-kill --no-pager", user="root").stdout
    assert api.get("/health/live").status_code == 200
    assert api.post("/ai/nlp/process", json={"text": "Good.", "task": "sentiment"}).status_code == 200
    eventually(lambda: api.get("/health").json()["status"] == "ready", "vision is ready again", BACK_WITHIN_S)
    after = first_processes(host)
    assert {name for name in before if before[name] != after[name]} == {container(VISION.name)}
    assert int(host.run(f"cat {group(host, VISION.name)}/memory.max").stdout) > GIB


def test_a_program_inside_that_takes_all_memory_is_ended_at_the_limit(
    running: Installed, api: httpx.Client
) -> None:
    host, before = running.host, first_processes(running.host)
    limit = int(host.run(f"cat {group(host, NLP.name)}/memory.max").stdout)
    done = host.run(
        shlex.join(["podman", "exec", container(NLP.name), PYTHON, "-c", HOG]), check=False, timeout=300
    )
    assert done.returncode == 137
    assert 0 < len(done.stdout.split()) * PIECE <= limit
    assert first_processes(host) == before
    assert api.get("/health/ready").json()["ready"] is True
