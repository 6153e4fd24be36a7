"""`network.topology = "network"`: separate containers do what the pod does, and are further from each other."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from ai_semble.topology import DATA, LLM, ORCHESTRATOR, SERVICES, UPSTREAMS
from tests.hosts.environment import Installed, reachable
from tests.hosts.pod_world import PYTHON, container
from tests.machine.reaching import connected, looked_up
from tests.support.attacks import attack
from tests.support.pictures import photo

pytestmark = pytest.mark.thorough
QUADLET = "containers/base/src/ai_semble/render/quadlet.py"
SCRIPT = "scripts/lib/pod_topology.sh"
INSIDE = "ai-semble-inside"
OWNER_OF_MODELS = 10001
# A path that is open to everybody who is heard at all.
ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], 8080), 5) as connection:
    connection.sendall(b"GET /health/live HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    print(connection.recv(12).decode())
"""
VOLUME = "~/.local/share/containers/storage/volumes/ai-semble-data/_data"
# A file of the user's: when the topology was changed.
RESTARTED = "restarted"
KEPT, RECORDS = "kept-across-topologies", "id,value\n1,100\n"


@pytest.fixture(scope="module")
def before(running: Installed) -> Installed:
    """Where there is a pod: it has a dataset."""
    if running.host.recipe.backend != "quadlet":
        pytest.skip("Podman 4 has no separate containers; the last test says what it is told instead")
    with reachable(running.host) as url, httpx.Client(base_url=url, timeout=60) as api:
        api.put(f"/data/datasets/{KEPT}", params={"replace": "true"}, content=RECORDS).raise_for_status()
    return running


@pytest.fixture(scope="module")
def apart(before: Installed) -> Iterator[Installed]:
    before.configure("network", "topology", '"network"')
    before.host.run(f"date +%s >{RESTARTED}")
    try:
        before.deploy("restart")
        yield before
    finally:
        before.configure("network", "topology", '"pod"')
        before.deploy("restart")
    with reachable(before.host) as url:
        assert KEPT in httpx.get(f"{url}/data/datasets", timeout=60).text, "it was lost on the way back"
    assert INSIDE not in before.host.run("podman pod exists ai-semble && podman network ls").stdout


@dataclass(frozen=True)
class Process:
    """The first process of a container; its user by the numbers of `podman unshare`."""

    pid: int
    user: int
    namespace: str


def processes(running: Installed) -> dict[str, Process]:
    """By service, as the host sees them."""
    names = " ".join(container(name) for name in SERVICES)
    ask = (
        "podman inspect --format '{{.Name}} {{.State.Pid}}' " + names + " | while read -r name pid; do "
        "echo $name $pid $(podman unshare stat --format %u /proc/$pid) $(readlink /proc/$pid/ns/user); done"
    )
    lines = (line.split() for line in running.host.run(ask).stdout.splitlines())
    found = {
        name.removeprefix("/"): Process(int(pid), int(user), namespace)
        for name, pid, user, namespace in lines
    }
    return {name: found[container(name)] for name in SERVICES}


def as_user(running: Installed, user: int, command: str) -> bool:
    """Whether this succeeds outside of all containers, where a service that has escaped from its own would be."""
    escaped = f"setpriv --reuid {user} --regid {user} --clear-groups --inh-caps=-all --bounding-set=-all"
    line = f"podman unshare bash -c 'cd {VOLUME} && exec {escaped} bash -c \"{command}\"'"
    return running.host.run(line, check=False).returncode == 0


def answered(running: Installed, service: str, address: str) -> bool:
    """Whether the orchestrator answers to a request of another container."""
    ask = shlex.join(["podman", "exec", container(service), PYTHON, "-c", ASK, address])
    return running.host.run(ask, check=False).stdout.strip() == "HTTP/1.1 200"


def test_all_four_services_answer_through_the_orchestrator(
    apart: Installed, shared_files: tuple[Path, str], api: httpx.Client
) -> None:
    folder, url = shared_files
    photo("chelsea").save(folder / "cat.jpg", quality=92)
    prompt = {"prompt": "Hello, how are you?", "max_tokens": 20}
    assert api.post("/ai/llm/completion", json=prompt).json()["text"]
    picture = {"image_url": f"{url}/cat.jpg", "task": "analyze"}
    assert "cat" in api.post("/ai/vision/analyze", json=picture).json()["description"].lower()
    sentence = {"text": "This is a great product!", "task": "sentiment"}
    assert api.post("/ai/nlp/process", json=sentence).json()["result"]["label"] == "positive"
    table = api.get(f"/data/datasets/{KEPT}/content", params={"format": "csv"})
    assert table.text.split() == RECORDS.split(), "what the pod has stored is here, too"


def test_status_and_the_journal_say_what_they_say_of_a_pod(apart: Installed) -> None:
    assert "all services are ready" in apart.deploy("status").stdout
    assert apart.host.run("systemctl --user is-active ai-semble.target ai-semble-pod").stdout.split() == [
        "active",
        "active",
    ]
    since = f"--since=@$(cat {RESTARTED})"
    journal = apart.host.run(f"journalctl --user -u ai-semble.pod {since} --no-pager").stdout
    assert {f'"service":"{name}"' for name in SERVICES if f'"service":"{name}"' not in journal} == set()


def test_one_service_is_stopped_and_started_alone(apart: Installed, api: httpx.Client) -> None:
    before = processes(apart)
    apart.host.run("systemctl --user stop ai-semble-nlp")
    assert "nlp" in apart.deploy("health", check=False).stdout.splitlines()[0]
    apart.deploy("start")
    answer = api.post("/ai/nlp/process", json={"text": "Guten Morgen", "task": "language"})
    assert answer.status_code == 200, answer.text
    after = processes(apart)
    assert {name for name in SERVICES if before[name] != after[name]} == {"nlp"}


def test_only_the_orchestrator_is_on_both_networks(apart: Installed) -> None:
    names = " ".join(container(name) for name in SERVICES)
    told = json.loads(apart.host.run(f"podman inspect {names}").stdout)
    assert [set(one["NetworkSettings"]["Networks"]) for one in told] == [
        {INSIDE, "ai-semble"} if name == ORCHESTRATOR.name else {INSIDE} for name in SERVICES
    ]
    inside = json.loads(apart.host.run(f"podman network inspect {INSIDE}").stdout)
    assert inside[0]["internal"] is True


@attack(
    threat="A service that was taken over sends data to another machine, or looks up names there",
    control='`network.topology = "network"`: an internal network; only the orchestrator is on another one',
    file=QUADLET,
)
@pytest.mark.parametrize("service", UPSTREAMS)
def test_no_service_behind_the_orchestrator_reaches_another_machine(
    apart: Installed, shared_files: tuple[Path, str], service: str
) -> None:
    assert connected(apart, ORCHESTRATOR.name, shared_files[1])
    assert not connected(apart, service, shared_files[1])
    assert looked_up(apart, ORCHESTRATOR.name)
    assert not looked_up(apart, service)


@attack(
    threat="It sends data away in a URL that it has the orchestrator fetch, or reads jobs and datasets through it",
    control='`network.topology = "network"`: the orchestrator hears nobody from a network that it is on',
    file="containers/base/src/ai_semble/neighbours.py",
)
@pytest.mark.parametrize("service", UPSTREAMS)
def test_no_service_is_answered_by_the_orchestrator(apart: Installed, service: str) -> None:
    name = container(ORCHESTRATOR.name)
    told = json.loads(apart.host.run(f"podman inspect {name}").stdout)
    networks = told[0]["NetworkSettings"]["Networks"].values()
    for address in (f"{name}.dns.podman", *(one["IPAddress"] for one in networks)):
        assert answered(apart, ORCHESTRATOR.name, address), "it answers to itself"
        assert not answered(apart, service, address)


@attack(
    threat="A service that has escaped from its container acts as the user of another one",
    control='`network.topology = "network"`: each has a user namespace and a user of its own',
    file=QUADLET,
)
def test_each_service_is_another_user_of_the_host(apart: Installed) -> None:
    found = processes(apart).values()
    assert len({process.user for process in found} | {OWNER_OF_MODELS}) == len(SERVICES) + 1
    assert len({process.namespace for process in found}) == len(SERVICES)


@attack(
    threat="A service that has escaped from its container kills another one, or reads its data",
    control='`network.topology = "network"`: processes and volumes belong to one service\'s user each',
    file=SCRIPT,
)
@pytest.mark.parametrize("attempt", ["kill -0 {pid}", "ls ai-semble"], ids=["kill", "data"])
def test_an_escaped_service_does_nothing_to_another(apart: Installed, attempt: str) -> None:
    found = processes(apart)
    line = attempt.format(pid=found[DATA.name].pid)
    assert as_user(apart, found[DATA.name].user, line), "its own user may"
    for service in (ORCHESTRATOR.name, LLM.name):
        assert not as_user(apart, found[service].user, line)


def test_podman_4_is_told_that_it_cannot_and_the_pod_goes_on(running: Installed) -> None:
    if running.host.recipe.backend != "kube":
        pytest.skip("Podman 5 can")
    running.configure("network", "topology", '"network"')
    try:
        done = running.deploy("restart", check=False)
        assert done.returncode == 1
        assert "needs Podman 5" in done.stderr
        assert running.host.run("systemctl --user is-active ai-semble.target").stdout.strip() == "active"
    finally:
        running.configure("network", "topology", '"pod"')
        running.deploy("restart")
