"""Each service in a domain of its own: normal work is denied nothing, an intruder everything that is not its own."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable, Iterator

import httpx
import pytest

from ai_semble.render.table import CONTAINERS, Container
from ai_semble.topology import ORCHESTRATOR, SERVICES
from tests.hosts.environment import SETUP_WITHIN_S, Installed, reachable
from tests.hosts.pod_world import PYTHON, container
from tests.machine.belongings import accepted, eventually, unfinished
from tests.support.attacks import attack
from tests.support.pictures import encode, photo

pytestmark = pytest.mark.selinux

ENDED_WITHIN_S = 300
AUDIT = "/var/log/audit/audit.log"
# Nothing listens there: what is not forbidden is refused.
CONNECT = """
import json, socket, sys
answers = {}
for port in sys.argv[1:]:
    try:
        socket.create_connection(("127.0.0.1", int(port)), 5)
    except PermissionError:
        answers[port] = "forbidden"
    except ConnectionRefusedError:
        answers[port] = "refused"
print(json.dumps(answers))
"""
IMAGE = "localhost/ai-semble/base:latest"
# As a container of the pod is made, but with a volume that it has no right to.
ALONE = (
    *("podman", "run", "--rm", "--pull", "never", "--network", "none", "--cap-drop", "all"),
    *("--security-opt", "no-new-privileges", "--security-opt"),
)
WITH_MODELS = [needs for needs in CONTAINERS if "models" in {mount.volume for mount in needs.mounts}]
QUIET = [needs for needs in CONTAINERS if needs.service is not ORCHESTRATOR]
VOLUMES = {"models": "ai-semble-models", "data": "ai-semble-data", "state": "ai-semble-state"}

Denials = Callable[[], list[str]]


@pytest.fixture(scope="module")
def confined(installed: Installed) -> Iterator[Installed]:
    """As a reader does it: install-security.sh as root, then setup.sh, which labels only what does not run."""
    ran = installed.host.run("systemctl --user is-active ai-semble.target", check=False).returncode == 0
    installed.script("sudo ./scripts/install-security.sh && ./scripts/deploy.sh stop")
    installed.script("./scripts/setup.sh --no-images --no-models", timeout=SETUP_WITHIN_S)
    yield installed
    if ran:
        installed.deploy("start")


@pytest.fixture(scope="module")
def working(confined: Installed) -> Installed:
    """Its pod runs."""
    confined.deploy("start")
    return confined


@pytest.fixture
def denials(confined: Installed) -> Denials:
    """The lines of the audit log, since the test began, that deny something to a domain of ours."""
    host = confined.host
    before = int(host.run(f"wc --lines < {AUDIT}", user="root").stdout)

    def since() -> list[str]:
        lines = host.run(f"tail --lines=+{before + 1} {AUDIT}", user="root").stdout.splitlines()
        return [line for line in lines if "avc:  denied" in line and "ai_semble_" in line]

    return since


def alone(confined: Installed, domain: str, volume: str, *words: str) -> str:
    """What a program says in a container of that domain with a volume mounted, writable, at /volume."""
    line = shlex.join(
        [*ALONE, f"label=type:{domain}", "--volume", f"{VOLUMES[volume]}:/volume", IMAGE, *words]
    )
    done = confined.host.run(line, check=False)
    return done.stdout + done.stderr


def test_the_module_is_there_and_said_to_be(confined: Installed) -> None:
    modules = confined.host.run("semodule -l | grep ai_semble", user="root").stdout
    assert modules.split() == ["ai_semble"]
    assert confined.script("bash scripts/checks/selinux.sh pod").stdout.startswith("ok ")


@pytest.mark.parametrize("needs", CONTAINERS, ids=lambda needs: needs.service.name)
def test_a_service_runs_in_its_own_domain(working: Installed, needs: Container) -> None:
    line = f"podman exec {container(needs.service.name)} cat /proc/1/attr/current"
    assert working.host.run(line).stdout.split(":")[2] == needs.domain


@pytest.mark.parametrize("name", VOLUMES)
def test_all_that_lies_in_a_volume_has_its_type(confined: Installed, name: str) -> None:
    place = f"$(podman volume inspect --format '{{{{.Mountpoint}}}}' {VOLUMES[name]})"
    shown = confined.host.run(f"podman unshare find {place} -printf '%Z\\n' | sort -u").stdout
    assert {line.split(":")[2] for line in shown.split()} == {f"ai_semble_{name}_file_t"}


def test_normal_work_is_denied_nothing(working: Installed, denials: Denials) -> None:
    with reachable(working.host) as url, httpx.Client(base_url=url, timeout=ENDED_WITHIN_S) as api:
        work(api)
    working.deploy("keys", "list")
    assert denials() == []


def work(api: httpx.Client) -> None:
    """A call of each kind, a dataset and a job."""
    assert api.get("/health").json()["status"] == "ready"
    picture = base64.b64encode(encode(photo("chelsea"))).decode()
    calls = (
        ("/ai/llm/completion", {"prompt": "Hello", "max_tokens": 4}),
        ("/ai/vision/analyze", {"image": picture, "task": "classify"}),
        ("/ai/nlp/process", {"text": "This is a great product!", "task": "sentiment"}),
        ("/data/process", {"operation": "analyze", "data": {"records": [{"id": 1, "value": 100}]}}),
    )
    for path, body in calls:
        api.post(path, json=body).raise_for_status()
    headers = {"Content-Type": "text/csv"}
    api.put("/data/datasets/labelled?replace=true", content="id\n1\n", headers=headers).raise_for_status()
    jobs = accepted(api, 1, "/ai/nlp/process", {"text": "What a pity.", "task": "sentiment"})
    eventually(lambda: not unfinished(api, jobs), "the job ends", ENDED_WITHIN_S)


@attack(
    threat="It sends what it has read to another machine, or calls its neighbours in the pod",
    control="The service's SELinux domain connects to its own port alone",
    file="security/selinux/ai_semble.cil",
)
@pytest.mark.parametrize("needs", QUIET, ids=lambda needs: needs.service.name)
def test_a_service_connects_to_no_port_but_its_own(
    confined: Installed, needs: Container, denials: Denials
) -> None:
    own = needs.service.port
    ports = {443, 5432, *(service.port for service in SERVICES.values())}
    said = alone(confined, needs.domain, "models", PYTHON, "-c", CONNECT, *map(str, sorted(ports)))
    assert json.loads(said) == {str(port): "refused" if port == own else "forbidden" for port in ports}
    denied = [line for line in denials() if "name_connect" in line and f":{needs.domain}:" in line]
    assert {int(line.partition(" dest=")[2].split()[0]) for line in denied} == ports - {own}


@attack(
    threat="It reads the datasets, jobs or models of another service, whose volume it has got hold of",
    control="A type of its own for each volume, which only its service's domain may read",
    file="security/selinux/ai_semble.cil",
)
@pytest.mark.parametrize(
    ("needs", "volume"),
    [
        (needs, name)
        for needs in CONTAINERS
        for name in VOLUMES
        if name not in {mount.volume for mount in needs.mounts}
    ],
    ids=lambda value: value if isinstance(value, str) else value.service.name,
)
def test_a_service_reads_no_volume_of_another(
    confined: Installed, needs: Container, volume: str, denials: Denials
) -> None:
    assert "Permission denied" in alone(confined, needs.domain, volume, "ls", "/volume")
    assert any(f":{needs.domain}:" in line and f"ai_semble_{volume}_file_t" in line for line in denials())


@attack(
    threat="It poisons a model that the other services read, where a mistake has mounted it writable",
    control="The SELinux domains of services read models; only that of `deploy.sh models` writes them",
    file="security/selinux/ai_semble.cil",
)
@pytest.mark.parametrize("needs", WITH_MODELS, ids=lambda needs: needs.service.name)
def test_models_are_read_and_never_written(confined: Installed, needs: Container, denials: Denials) -> None:
    assert "lid-176" in alone(confined, needs.domain, "models", "ls", "/volume")
    assert denials() == []
    assert "Permission denied" in alone(confined, needs.domain, "models", "touch", "/volume/planted")
    assert any("{ write }" in line and "ai_semble_models_file_t" in line for line in denials())


@attack(
    threat="A container of another project mounts the volume with the datasets",
    control="Its SELinux domain, container_t, may not read the type of that volume",
    file="security/selinux/ai_semble.cil",
)
def test_a_container_of_another_project_reads_no_datasets(confined: Installed) -> None:
    assert "Permission denied" in alone(confined, "container_t", "data", "ls", "/volume")


def test_what_a_container_writes_is_read_by_the_next_one(confined: Installed, denials: Denials) -> None:
    domain = "ai_semble_data_processor_t"
    write = "mkdir -p /volume/kept && echo kept > /volume/kept/file"
    assert alone(confined, domain, "data", "bash", "-c", write) == ""
    assert (
        alone(confined, domain, "data", "bash", "-c", "cat /volume/kept/* && rm -r /volume/kept") == "kept\n"
    )
    assert denials() == []


def test_models_are_still_fetched(confined: Installed, denials: Denials) -> None:
    confined.deploy("models", "list")
    write = "touch /volume/fetched && rm /volume/fetched"
    assert alone(confined, "ai_semble_models_fetcher_t", "models", "bash", "-c", write) == ""
    assert denials() == []
