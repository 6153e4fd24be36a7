"""What the pod may do and who reaches it, asked from inside each container and from the host."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from ai_semble.topology import LLM, NLP, SERVICES, UPSTREAMS, VISION
from tests.hosts.environment import PORT, Installed
from tests.hosts.host import Host
from tests.support.attacks import attack

UID = "10001"
OWNERS = {"ai-semble-data": "data-processor", "ai-semble-state": "orchestrator"}
WITH_MODELS = {LLM.name, VISION.name, NLP.name}
HOME, MODELS = "/var/lib/ai-semble", "/var/lib/ai-semble-models"

each_service = pytest.mark.parametrize("service", list(SERVICES))


def inside(running: Installed, service: str, command: str, check: bool = True) -> str:
    """What a line of shell prints in a service's container, where it runs as the service does."""
    line = shlex.join(["podman", "exec", f"ai-semble-{service}", "bash", "-c", command])
    done = running.host.run(line, check=check)
    return done.stdout + done.stderr


def mounts_of(running: Installed, service: str) -> dict[str, dict[str, Any]]:
    """Where volumes and folders of the host are mounted."""
    shown = running.host.run(f"podman inspect ai-semble-{service}").stdout
    return {mount["Destination"]: mount for mount in json.loads(shown)[0]["Mounts"]}


@each_service
def test_its_process_has_no_rights_and_gets_none(running: Installed, service: str) -> None:
    lines = inside(running, service, "cat /proc/1/status").splitlines()
    status = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
    assert set(status["Uid"]) == set(status["Gid"]) == {UID}
    for kind in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"):
        assert int(status[kind][0], 16) == 0, kind
    assert status["NoNewPrivs"] == ["1"]
    assert status["Seccomp"] == ["2"]


@each_service
def test_it_writes_only_where_it_must(running: Installed, service: str) -> None:
    for folder in ("/", "/etc", "/usr/bin", "/opt/ai-semble", "/etc/ai-semble"):
        said = inside(running, service, f"touch {folder}/written", check=False)
        assert "Read-only file system" in said or "Permission denied" in said, said
    root = inside(running, service, "awk '$2 == \"/\" {print $4}' /proc/mounts").split(",")
    assert "ro" in root
    inside(
        running, service, f"for folder in /tmp {HOME}; do touch $folder/written && rm $folder/written; done"
    )
    if running.host.recipe.backend == "quadlet":  # Podman 4 knows no folder in memory in a pod's description
        assert "tmpfs" in inside(running, service, "stat --file-system --format %T /tmp")


@attack(
    threat="A container is given the volume of another",
    control="One volume a service",
    file="containers/base/src/ai_semble/render/table.py",
)
@each_service
def test_it_has_its_own_volume_and_nobody_elses(running: Installed, service: str) -> None:
    mounts = mounts_of(running, service)
    names = {mount["Name"]: mount for mount in mounts.values() if mount.get("Name")}
    for volume, owner in OWNERS.items():
        assert (volume in names) == (service == owner)
    assert ("ai-semble-models" in names) == (service in WITH_MODELS)
    assert {folder for folder, mount in mounts.items() if mount["RW"]} <= {"/tmp", HOME}  # noqa: S108


@pytest.mark.parametrize("service", sorted(WITH_MODELS))
def test_models_are_there_and_cannot_be_changed(running: Installed, service: str) -> None:
    assert "model" in inside(running, service, f"ls {MODELS}/*")
    said = inside(running, service, f"touch {MODELS}/written; rm -r {MODELS}/lid-176", check=False)
    assert said.count("Read-only file system") >= 2, said


@attack(
    threat="Another program of the machine reads the token of the services",
    control="A Podman secret, readable in the container by its user alone",
    file="containers/base/src/ai_semble/render/quadlet.py",
)
@each_service
def test_only_the_service_reads_its_token(running: Installed, service: str) -> None:
    file = inside(running, service, "echo ${AI_SEMBLE_TOKEN_FILE}").strip()
    assert inside(running, service, f"stat --format '%u %a' {file}").split() == [UID, "400"]
    said = inside(running, service, f"echo x >{file}", check=False)
    assert "Read-only file system" in said or "Permission denied" in said, said


def answers(host: Host, address: str, port: int) -> bool:
    """Whether a service answers there. A bare connection says little: some networks accept any."""
    ask = f"curl --silent --fail --max-time 3 --noproxy '*' http://{address}:{port}/health/live"
    return host.run(ask, check=False).returncode == 0


@attack(
    threat="Another machine calls the API",
    control="Its port is published on 127.0.0.1",
    file="containers/base/src/ai_semble/render/quadlet.py",
)
def test_the_api_is_there_for_programs_of_the_host_alone(running: Installed) -> None:
    host = running.host
    assert answers(host, "127.0.0.1", PORT)
    assert not answers(host, host.ssh.address, PORT)
    listening = host.run("ss --no-header --listening --tcp --numeric").stdout
    addresses = {line.split()[3] for line in listening.splitlines()}
    assert f"127.0.0.1:{PORT}" in addresses
    assert not {address for address in addresses if address.endswith(f":{PORT}")} - {f"127.0.0.1:{PORT}"}


@attack(
    threat="A program of the host calls a service past the gateway",
    control="Services listen on the pod's own loopback address",
    file="containers/base/src/ai_semble/render/quadlet.py",
)
@pytest.mark.parametrize("service", list(UPSTREAMS))
def test_a_service_behind_the_gateway_cannot_be_reached_from_the_host(
    running: Installed, service: str
) -> None:
    port = SERVICES[service].port
    own = running.host.run(
        "podman inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}'"
        f" $(podman pod inspect --format '{{{{.InfraContainerID}}}}' ai-semble || echo ai-semble-{service})"
    ).stdout.split()
    assert own
    for address in ("127.0.0.1", running.host.ssh.address, *own):
        assert not answers(running.host, address, port), address
    assert not inside(running, service, f"timeout 3 bash -c '</dev/tcp/127.0.0.1/{port}'")
