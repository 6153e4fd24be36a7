"""A taken-over environment and its neighbour: nothing of the default one is reached from inside `lab`

As its services' user, and as root of its containers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.hosts.environment import PORT, Installed
from tests.machine.second import DEFAULT, NAME, PREFIX, Second, address_of, processes, second_environment
from tests.support.attacks import attack

pytestmark = pytest.mark.thorough
QUADLET = "containers/base/src/ai_semble/render/quadlet.py"
PORTS = "scripts/lib/environment_ports.sh"
SETUP = "scripts/lib/pod_setup.sh"
ISOLATED = "Each environment has a network of its own, isolated from all others"
OWN_USER = "Its services run as a user of the host that no other environment has"
OWN_SECRET = "Each environment has a token and keys of its own"
CONTAINED = "Namespaces of its own for processes, files, network and IPC"
SERVICES = ("orchestrator", "llm", "data-processor")
as_each = pytest.mark.parametrize("user", ["10001", "0"], ids=["service", "root"])
CONNECT = "import socket; socket.create_connection(({address!r}, {port}), 2); print('connected')"


@pytest.fixture(scope="module")
def lab(running: Installed) -> Iterator[Second]:
    with second_environment(running) as made:
        yield made
        assert processes(running, DEFAULT) == made.default, "nothing of the other one was restarted"


def connects(lab: Second, address: str, port: int, user: str) -> bool:
    """A traceback shows the script, too."""
    said = lab.inside("orchestrator", CONNECT.format(address=address, port=port), user=user)
    return said.splitlines()[-1:] == ["connected"]


def gateway(lab: Second, prefix: str) -> str:
    told = json.loads(lab.on.host.run(f"podman network inspect {prefix}").stdout)
    return str(told[0]["subnets"][0]["gateway"])


@attack(threat="It calls the API of another environment at its own address", control=ISOLATED, file=QUADLET)
@as_each
def test_the_neighbours_api_is_not_reached_at_its_address(lab: Second, user: str) -> None:
    assert connects(lab, address_of(lab.on, PREFIX), 8080, user), "its own is"
    for port in (8080, 8443):
        assert not connects(lab, address_of(lab.on, DEFAULT), port, user), port


@attack(
    threat="It calls the API of another environment at the port that the host publishes",
    control="Ports are published on the host's loopback address, which no container has",
    file=QUADLET,
)
@as_each
@pytest.mark.parametrize(
    "address", ["127.0.0.1", "host.containers.internal", "gateway", "neighbour's gateway"]
)
def test_the_neighbours_api_is_not_reached_by_way_of_the_host(lab: Second, user: str, address: str) -> None:
    at = {"gateway": PREFIX, "neighbour's gateway": DEFAULT}.get(address)
    if address == "127.0.0.1":
        script = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8080/health').read().decode())"
        assert f'"{NAME}"' in lab.inside("orchestrator", script, user=user), "there its own one answers"
    else:
        assert not connects(lab, gateway(lab, at) if at else address, PORT, user)


@attack(
    threat="It asks for the addresses of another environment's containers by name",
    control=ISOLATED,
    file=QUADLET,
)
@pytest.mark.parametrize("name", [DEFAULT, f"{DEFAULT}-llm", f"{DEFAULT}.dns.podman"])
def test_the_neighbours_names_are_unknown(lab: Second, name: str) -> None:
    assert "gaierror" in lab.inside(
        "orchestrator", f"import socket; print(socket.getaddrinfo({name!r}, 8080))"
    )


@attack(threat="It listens to another environment's packets, or forges them", control=ISOLATED, file=QUADLET)
@as_each
def test_it_makes_no_packets_of_its_own(lab: Second, user: str) -> None:
    script = "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3)); print('open')"
    said = lab.inside("nlp", script, user=user)
    assert "Error" in said
    assert "open" not in said.splitlines()


@attack(
    threat="It opens another environment with its own key",
    control=OWN_SECRET,
    file="containers/orchestrator/src/orchestrator/access/control.py",
)
def test_its_key_opens_nothing_of_the_neighbour(lab: Second) -> None:
    key = lab.key("mallory")
    assert lab.status(key) == 200
    assert lab.status(key, PORT) == 401


@attack(threat="It opens another environment with the token of its services", control=OWN_SECRET, file=SETUP)
def test_its_token_opens_nothing_of_the_neighbour(lab: Second) -> None:
    look = "import os; print(open(os.environ['AI_SEMBLE_TOKEN_FILE']).read().strip())"
    own, other = (lab.inside("llm", look, prefix=prefix).strip() for prefix in (PREFIX, DEFAULT))
    assert len(own) == len(other) == 64
    assert own != other
    # A service of the neighbour, asked by its own orchestrator.
    knock = """
import json, urllib.request, urllib.error
BODY = json.dumps({"text": "Hi.", "task": "language"}).encode()
request = urllib.request.Request("http://127.0.0.1:8083/ai/nlp/process", BODY,
    {"Content-Type": "application/json", "Authorization": "Bearer TOKEN"})
try:
    print(urllib.request.urlopen(request).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""
    came = [
        lab.inside("orchestrator", knock.replace("TOKEN", token), prefix=DEFAULT).strip()
        for token in (other, own)
    ]
    assert came == ["200", "401"]


@attack(threat="It reads another environment's files, volumes or settings", control=CONTAINED, file=QUADLET)
@as_each
@pytest.mark.parametrize("service", SERVICES)
def test_it_sees_no_file_of_the_neighbour(lab: Second, service: str, user: str) -> None:
    lab.on.host.run("echo '# of-the-neighbour' >>~/.config/ai-semble/ai-semble.toml")
    try:
        script = (
            "import os, pathlib; found = [str(p) for r in ('/etc/ai-semble', '/var/lib', '/run', '/home') "
            "for p in pathlib.Path(r).rglob('*') if p.is_file() and os.access(p, os.R_OK) "
            "and p.stat().st_size < 100000 and b'of-the-neigh' + b'bour' in p.read_bytes()]; print('found', found)"
        )
        assert "found []" in lab.inside(service, script, user=user)
    finally:
        lab.on.host.run("sed -i '/of-the-neighbour/d' ~/.config/ai-semble/ai-semble.toml")


@attack(
    threat="It changes the models that another environment answers with",
    control="Services mount models read-only",
    file=QUADLET,
)
@as_each
@pytest.mark.parametrize("service", ["llm", "nlp"])
def test_it_writes_no_shared_model(lab: Second, service: str, user: str) -> None:
    script = "open('/var/lib/ai-semble-models/mine', 'w')"
    assert "Read-only file system" in lab.inside(service, script, user=user)


@attack(threat="It sees, stops or debugs another environment's processes", control=CONTAINED, file=QUADLET)
@as_each
def test_it_sees_no_process_of_the_neighbour(lab: Second, user: str) -> None:
    script = "import pathlib; print([p.joinpath('cmdline').read_text() for p in pathlib.Path('/proc').glob('[0-9]*')])"
    seen = lab.inside("vision", script, user=user)
    assert "ai-semble-vision" in seen
    for other in ("orchestrator", "llm", "nlp", "data-processor"):
        assert f"ai-semble-{other}" not in seen
    spaces = [
        lab.on.host.run(
            f"readlink /proc/{processes(lab.on, prefix)[f'{prefix}-vision']}/ns/{{pid,mnt,net,ipc}}"
        ).stdout
        for prefix in (PREFIX, DEFAULT)
    ]
    assert not set(spaces[0].split()) & set(spaces[1].split())


@attack(threat="It writes into another environment's log, or reads it", control=CONTAINED, file=QUADLET)
@as_each
def test_it_has_no_way_to_the_journal(lab: Second, user: str) -> None:
    script = "import os; print([os.path.exists(p) for p in ('/run/systemd/journal/socket', '/dev/log', '/run/user')])"
    assert "[False, False, False]" in lab.inside("nlp", script, user=user)
    lines = lab.on.host.run(f"journalctl --user -u {PREFIX}.pod --output json --no-pager").stdout
    assert {json.loads(line).get("SYSLOG_IDENTIFIER") for line in lines.splitlines()} <= {PREFIX, "systemd"}


def escaped(lab: Second, target: str, command: str) -> bool:
    """Whether this succeeds outside of all containers, in a target's volume, as the user of lab's services."""
    pid = processes(lab.on, PREFIX)[f"{PREFIX}-orchestrator"]
    volume = f"~/.local/share/containers/storage/volumes/{target}-state/_data"
    as_user = 'setpriv --reuid "$0" --regid "$0" --clear-groups --inh-caps=-all --bounding-set=-all'
    line = f"podman unshare bash -c 'cd {volume} && exec {as_user} {command}'"
    whose = f"$(podman unshare stat --format %u /proc/{pid})"
    return lab.on.host.run(f"{line} {whose}", check=False).returncode == 0


@attack(
    threat="A service that has escaped from its container reads another environment's data or kills it",
    control=OWN_USER,
    file=QUADLET,
)
@pytest.mark.parametrize("attempt", ["ls ai-semble", "kill -0 {pid}"], ids=["files", "kill"])
def test_an_escaped_service_does_nothing_to_the_neighbour(lab: Second, attempt: str) -> None:
    if lab.on.host.recipe.backend != "quadlet":
        pytest.skip("Podman 4 cannot give a pod a user namespace of its own")

    def succeeds(target: str) -> bool:
        pid = processes(lab.on, target)[f"{target}-orchestrator"]
        return escaped(lab, target, attempt.format(pid=pid))

    assert succeeds(PREFIX), "its own it may"
    assert not succeeds(DEFAULT)


@attack(
    threat="It takes the port of another environment, so that this one does not start again",
    control="Ports are promised to environments",
    file=PORTS,
)
def test_a_third_one_gets_no_port_of_the_others(lab: Second) -> None:
    for port in (PORT, lab.port):
        done = lab.on.deploy("env", "create", "thief", "--port", str(port), check=False)
        assert done.returncode == 1
        assert f"port {port} belongs to another environment" in done.stderr
    lab.on.host.run("test ! -e ~/.config/ai-semble-thief")


@attack(
    threat="It ends its own services, so that systemd ends another environment's",
    control="Units depend on those of their own environment alone",
    file="containers/base/src/ai_semble/render/systemd.py",
)
def test_that_all_of_its_services_die_ends_nothing_of_the_neighbour(lab: Second) -> None:
    pids = " ".join(processes(lab.on, PREFIX).values())
    lab.on.host.run(f"podman unshare kill -KILL {pids}")
    assert lab.get("/health", PORT)["status"] == "ready"
    assert processes(lab.on, DEFAULT) == lab.default
