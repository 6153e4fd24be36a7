"""The processes of the pod's containers, asked of their host: to enter a container takes its time."""

from __future__ import annotations

from ai_semble.topology import SERVICES
from tests.hosts.host import Host
from tests.hosts.pod_world import container


def first_processes(host: Host) -> dict[str, int]:
    """Each service's first process, the 1 of its container; another number when it began anew, 0 when there is none."""
    names = " ".join(container(service) for service in SERVICES)
    line = f"podman inspect --type container --format '{{{{.Name}}}} {{{{.State.Pid}}}}' {names}"
    told = dict(said.split() for said in host.run(line, check=False).stdout.splitlines())
    return {service: int(told.get(container(service), 0)) for service in SERVICES}


def labels(host: Host) -> dict[str, set[str]]:
    """What the kernel confines each service by: the labels of all processes of its container."""
    lines = [
        f"for one in $(cat /sys/fs/cgroup$(cut --delimiter=: --fields=3 /proc/{first}/cgroup)/cgroup.procs);"
        f" do echo {service} $(tr --delete '\\0' < /proc/$one/attr/current); done"
        for service, first in first_processes(host).items()
    ]
    found: dict[str, set[str]] = {service: set() for service in SERVICES}
    for line in host.run("\n".join(lines), user="root").stdout.splitlines():
        service, _, label = line.partition(" ")
        found[service].add(label)
    return found
