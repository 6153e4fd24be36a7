"""The pod against the embedded mode: the same services on the same machine, measured in turns.

The pod runs on a host of tests/hosts, the embedded services on this machine. A program of the host sends the
requests, as its users do; it is this machine's wrk and Python in the host's network.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil

from tests.hosts import requirements
from tests.hosts.environment import PORT, Installed, install, reachable
from tests.hosts.host import Host, running_host
from tests.hosts.recipes import CHECKOUT, host_for
from tests.load.engines import compared
from tests.load.memory import use_everything
from tests.load.pairs import in_turns
from tests.load.report import Row, bounded
from tests.support.models import models_directory
from tests.support.worlds import World, world

LEAST = 0.9
MIB = 1024**2
SUBJECT = "pod"


def measure(folder: Path) -> Iterator[Row]:
    """Nothing, with the reason, where this machine can run no hosts."""
    try:
        requirements.check()
    except requirements.CannotRunHostsError as error:
        print(f"pod: not measured. {error}", file=sys.stderr)
        return
    with (
        running_host(host_for("quadlet").name) as host,
        world("embedded", folder / "embedded", models_directory()) as embedded,
    ):
        installed = install(host)
        yield start(installed)
        yield from rates(host, embedded)
        yield from memory(host, embedded)


def start(installed: Installed) -> Row:
    """From the word to healthy; the second time, as the files are in memory where a user's are, too."""
    installed.deploy("start")
    installed.deploy("stop")
    began = time.perf_counter()
    installed.deploy("start")
    return bounded(SUBJECT, "start to healthy", time.perf_counter() - began, "s", high=20)


def rates(host: Host, embedded: World) -> Iterator[Row]:
    ours = f"http://127.0.0.1:{PORT}"
    for what, unit, measured, turns in (
        ("through the gateway, 32 connections", "requests/s", "requests", 7),
        ("generation, 1 at a time", "tokens/s", "tokens", 5),
    ):
        pair = in_turns(
            lambda name=measured: speed(name, ours, inside=host),  # type: ignore[misc]
            lambda name=measured: speed(name, embedded.url, inside=None),  # type: ignore[misc]
            turns,
        )
        yield compared(SUBJECT, what, unit, "embedded", pair, LEAST)


def speed(name: str, url: str, *, inside: Host | None) -> float:
    """What tests/load/speed.py measures, in this machine's network or in the host's."""
    command = [sys.executable, "-B", "-m", "tests.load.speed", name, url]
    if inside:
        network = f"--net=/proc/{first_process(inside)}/ns/net"
        command = requirements.as_root("nsenter", network, "--", *command)
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout))


def first_process(host: Host) -> int:
    """The host's systemd, as this machine numbers it: a descendant of the keeper in a network of its own."""
    ours = Path("/proc/self/ns/net").readlink()
    for process in psutil.Process(host.keeper.pid).children(recursive=True):
        link = requirements.as_root("readlink", f"/proc/{process.pid}/ns/net")
        theirs = subprocess.run(link, capture_output=True, text=True, check=False).stdout.strip()
        if theirs and theirs != str(ours):
            return process.pid
    raise RuntimeError(f"{host.recipe.name} has no process with a network of its own")


def memory(host: Host, embedded: World) -> Iterator[Row]:
    """After every task was used once: what all processes take together, shared pages counted once."""
    with reachable(host) as url, httpx.Client(base_url=url, timeout=300) as http:
        use_everything(http)
        services = http.get("/health").raise_for_status().json()["memory_bytes"] / MIB
    with httpx.Client(base_url=embedded.url, timeout=300) as http:
        use_everything(http)
        peer = http.get("/health").raise_for_status().json()["memory_bytes"] / MIB
    yield Row(SUBJECT, "memory of the five services", services, "MiB", "embedded", peer, services / peer)
    whole, other = of_the_pod(host), of_embedded(embedded)
    yield Row(
        SUBJECT, "memory with what runs them (PSS)", whole, "MiB", "embedded", other, whole / other
    )  # fmt: skip


def of_the_pod(host: Host) -> float:
    """Everything that the user's manager runs: services, Podman's monitors, network, journal readers."""
    files = "grep --files-with-matches --no-messages user@1000.service/ /proc/[0-9]*/cgroup"
    # Some of them may have ended meanwhile.
    told = f"cat $({files} | sed 's/cgroup$/smaps_rollup/') 2>/dev/null"
    return (
        float(host.run(f"{told} | awk '/^Pss:/ {{sum += $2}} END {{print sum}}'", user="root").stdout) / 1024
    )


def of_embedded(embedded: World) -> float:
    services = [psutil.Process(pid) for pid in embedded.processes().values()]
    supervisor = services[0].parent()
    assert supervisor
    found = [supervisor, *supervisor.children(recursive=True)]
    return float(sum(process.memory_full_info().pss for process in found)) / MIB
