"""Each service in a domain of its own: normal work is denied nothing, an intruder everything that is not its own."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ai_semble.render.table import CONTAINERS, Container
from ai_semble.topology import LLM, NLP, ORCHESTRATOR, SERVICES
from tests.hosts.environment import Installed
from tests.hosts.pod_world import PYTHON, container
from tests.support.attacks import attack
from tests.support.pictures import photo
from tests.vm.denials import denied, written
from tests.vm.processes import labels
from tests.vm.work import work

pytestmark = pytest.mark.selinux

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


def unless_one(needs: Container) -> list[pytest.MarkDecorator]:
    """The marks of a case that is the same for every service: where time is short, one of them is enough."""
    return [] if needs.service is NLP else [pytest.mark.thorough]


def cases(containers: list[Container]) -> list[Any]:
    return [pytest.param(needs, marks=unless_one(needs)) for needs in containers]


def name_of(value: str | Container) -> str:
    return value if isinstance(value, str) else value.service.name


@pytest.fixture(scope="module")
def denied_work(running: Installed, shared_files: tuple[Path, str]) -> list[str]:
    """What was denied to our domains since the boot: setup, start, and a call of each kind."""
    folder, url = shared_files
    photo("chelsea").save(folder / "image.jpg", quality=92)
    work(running, url)
    return denied(running.host)


@pytest.fixture
def denials(installed: Installed) -> Denials:
    """What is denied since the test began."""
    before = written(installed.host)
    return lambda: denied(installed.host, before)


def alone(installed: Installed, domain: str, volume: str, *words: str) -> str:
    """What a program says in a container of that domain with a volume mounted, writable, at /volume."""
    line = shlex.join(
        [*ALONE, f"label=type:{domain}", "--volume", f"{VOLUMES[volume]}:/volume", IMAGE, *words]
    )
    done = installed.host.run(line, check=False)
    return done.stdout + done.stderr


def test_the_module_is_there_and_said_to_be(installed: Installed) -> None:
    modules = installed.host.run("semodule -l | grep ai_semble", user="root").stdout
    assert modules.split() == ["ai_semble"]
    assert installed.script("bash scripts/checks/selinux.sh pod").stdout.startswith("ok ")


def test_every_process_of_a_service_is_in_its_domain(running: Installed) -> None:
    domains = {name: {label.split(":")[2] for label in found} for name, found in labels(running.host).items()}
    assert domains == {needs.service.name: {needs.domain} for needs in CONTAINERS}


def test_the_language_model_says_so_itself(running: Installed) -> None:
    line = f"podman exec {container(LLM.name)} cat /proc/1/attr/current"
    assert running.host.run(line).stdout.split(":")[2] == "ai_semble_llm_t"


def test_normal_work_is_denied_nothing(denied_work: list[str]) -> None:
    assert denied_work == []


@pytest.mark.parametrize("name", VOLUMES)
def test_all_that_lies_in_a_volume_has_its_type(installed: Installed, name: str) -> None:
    place = f"$(podman volume inspect --format '{{{{.Mountpoint}}}}' {VOLUMES[name]})"
    shown = installed.host.run(f"podman unshare find {place} -printf '%Z\\n' | sort -u").stdout
    assert {line.split(":")[2] for line in shown.split()} == {f"ai_semble_{name}_file_t"}


@attack(
    threat="It sends what it has read to another machine, or calls its neighbours in the pod",
    control="The service's SELinux domain connects to its own port alone",
    file="security/selinux/ai_semble.cil",
)
@pytest.mark.parametrize("needs", cases(QUIET), ids=name_of)
def test_a_service_connects_to_no_port_but_its_own(
    installed: Installed, needs: Container, denials: Denials
) -> None:
    own = needs.service.port
    ports = {443, 5432, *(service.port for service in SERVICES.values())}
    said = alone(installed, needs.domain, "models", PYTHON, "-c", CONNECT, *map(str, sorted(ports)))
    assert json.loads(said) == {str(port): "refused" if port == own else "forbidden" for port in ports}
    connects = [line for line in denials() if "name_connect" in line and f":{needs.domain}:" in line]
    assert {int(line.partition(" dest=")[2].split()[0]) for line in connects} == ports - {own}


@attack(
    threat="It reads the datasets, jobs or models of another service, whose volume it has got hold of",
    control="A type of its own for each volume, which only its service's domain may read",
    file="security/selinux/ai_semble.cil",
)
@pytest.mark.parametrize(
    ("needs", "volume"),
    [
        pytest.param(needs, name, marks=unless_one(needs))
        for needs in CONTAINERS
        for name in VOLUMES
        if name not in {mount.volume for mount in needs.mounts}
    ],
    ids=name_of,
)
def test_a_service_reads_no_volume_of_another(
    installed: Installed, needs: Container, volume: str, denials: Denials
) -> None:
    assert "Permission denied" in alone(installed, needs.domain, volume, "ls", "/volume")
    assert any(f":{needs.domain}:" in line and f"ai_semble_{volume}_file_t" in line for line in denials())


@attack(
    threat="It poisons a model that the other services read, where a mistake has mounted it writable",
    control="The SELinux domains of services read models; only that of `deploy.sh models` writes them",
    file="security/selinux/ai_semble.cil",
)
@pytest.mark.parametrize("needs", cases(WITH_MODELS), ids=name_of)
def test_models_are_read_and_never_written(installed: Installed, needs: Container, denials: Denials) -> None:
    assert "lid-176" in alone(installed, needs.domain, "models", "ls", "/volume")
    assert denials() == []
    assert "Permission denied" in alone(installed, needs.domain, "models", "touch", "/volume/planted")
    assert any("{ write }" in line and "ai_semble_models_file_t" in line for line in denials())


@attack(
    threat="A container of another project mounts the volume with the datasets",
    control="Its SELinux domain, container_t, may not read the type of that volume",
    file="security/selinux/ai_semble.cil",
)
def test_a_container_of_another_project_reads_no_datasets(installed: Installed) -> None:
    assert "Permission denied" in alone(installed, "container_t", "data", "ls", "/volume")


def test_what_a_container_writes_is_read_by_the_next_one(installed: Installed, denials: Denials) -> None:
    domain = "ai_semble_data_processor_t"
    write = "mkdir -p /volume/kept && echo kept > /volume/kept/file"
    assert alone(installed, domain, "data", "bash", "-c", write) == ""
    assert (
        alone(installed, domain, "data", "bash", "-c", "cat /volume/kept/* && rm -r /volume/kept") == "kept\n"
    )
    assert denials() == []


def test_models_are_still_fetched(installed: Installed, denials: Denials) -> None:
    installed.deploy("models", "list")
    write = "touch /volume/fetched && rm /volume/fetched"
    assert alone(installed, "ai_semble_models_fetcher_t", "models", "bash", "-c", write) == ""
    assert denials() == []
