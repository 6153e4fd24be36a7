"""The development pod: beside the normal one, with this checkout in it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from ai_semble.topology import SERVICES, UPSTREAMS
from tests.hosts.environment import Installed
from tests.hosts.ssh import HostError
from tests.machine.belongings import eventually

pytestmark = pytest.mark.thorough
DEV_PORT = 18080


@pytest.fixture(scope="module")
def dev(running: Installed) -> Iterator[Installed]:
    normal = processes(running)
    running.deploy("start", "--dev")
    yield running
    running.deploy("stop", "--dev")
    assert not [name for name in processes(running) if name.startswith("ai-semble-dev-")]
    assert processes(running) == normal, "the normal pod is as it was"


def processes(running: Installed) -> dict[str, str]:
    """The containers of the normal pod, and of the other one once it runs, with their first processes."""
    lines = running.host.run("podman ps --format '{{.Names}} {{.Pid}}'").stdout.splitlines()
    return {name: pid for name, pid in map(str.split, lines) if name.startswith("ai-semble-")}


def get(dev: Installed, port: int, path: str) -> str:
    return dev.script(f"curl --fail --silent --show-error http://127.0.0.1:{port}{path}").stdout


def test_both_pods_answer_and_each_service_of_it_has_a_port_of_its_own(dev: Installed) -> None:
    for port in (8080, DEV_PORT):
        assert json.loads(get(dev, port, "/health"))["status"] == "ready"
    for name in UPSTREAMS:
        assert get(dev, SERVICES[name].port, "/health/live")
    listening = dev.host.run("ss --no-header --listening --tcp --numeric").stdout
    ports = {str(SERVICES[name].port) for name in UPSTREAMS} | {str(DEV_PORT)}
    addresses = {line.split()[3].rpartition(":")[::2] for line in listening.splitlines()}
    assert {address for address, port in addresses if port in ports} == {"127.0.0.1"}


def test_it_has_data_and_jobs_of_its_own(dev: Installed) -> None:
    dev.script(
        f"curl --fail --silent --data-binary $'n\\n1\\n' --header 'Content-Type: text/csv' --request PUT"
        f" 'http://127.0.0.1:{DEV_PORT}/data/datasets/of-dev?replace=true'"
    )
    assert "of-dev" in get(dev, DEV_PORT, "/data/datasets")
    assert "of-dev" not in get(dev, 8080, "/data/datasets")


def test_it_says_more(dev: Installed) -> None:
    said = dev.script("podman logs ai-semble-dev-orchestrator 2>&1").stdout
    assert '"debug"' in said.lower()


def test_changed_source_is_seen_in_the_next_answer(dev: Installed) -> None:
    before = processes(dev)
    source = "containers/data-processor/src/data_processor/errors.py"
    old, new = "No such dataset", "Nothing of that name, says the changed source"
    dev.script(f"cp {source} /tmp/kept.py && sed --in-place 's/{old}/{new}/' {source}")
    try:
        eventually(lambda: new in missing(dev), "the changed title is in the answer", 30)
    finally:
        dev.script(f"cp /tmp/kept.py {source}")
    eventually(lambda: old in missing(dev), "the old title is back", 30)
    assert processes(dev) == before, "no container was restarted"


def missing(dev: Installed) -> str:
    shown = dev.script(f"curl --silent http://127.0.0.1:{DEV_PORT}/data/datasets/absent", check=False).stdout
    if not shown:
        raise HostError("no answer")
    return shown


def test_its_shell_has_the_tools_and_the_source(dev: Installed) -> None:
    shown = dev.script(
        "podman exec ai-semble-dev-shell bash -c"
        " 'pwd; ai-semble --help; python --version; ai-semble-healthy ready 8083 && echo healthy;"
        ' ls scripts/deploy.sh; python -c "import data_processor; print(data_processor.__file__)"\''
    ).stdout
    assert shown.startswith("/src\n")
    assert "healthy" in shown
    assert "/src/containers/data-processor/src" in shown


def test_it_is_listed_beside_the_normal_one(dev: Installed) -> None:
    lines = dev.script("./scripts/deploy.sh list").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["default", "dev"]
    assert all("running" in line for line in lines[1:])
