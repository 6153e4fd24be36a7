"""The hosts themselves: what a user's machine has, nothing of this machine's network, and nothing left over."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hosts import requirements
from tests.hosts.host import Host, running_host
from tests.hosts.recipes import CHECKOUT
from tests.machine.belongings import eventually

FIRST_VERSION = {"quadlet": (5, 0), "kube": (4, 0)}

# Deleting a host's files takes long when the disk is busy.
WITHIN_S = 180


def as_root(command: str) -> str:
    words = requirements.as_root("env", f"PATH={requirements.SYSTEM_PATH}", "sh", "-c", command)
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_it_has_the_podman_of_its_backend(host: Host) -> None:
    version = json.loads(host.run("podman version --format json").stdout)["Client"]["Version"]
    major, minor = (int(part) for part in version.split(".")[:2])
    first = FIRST_VERSION[host.recipe.backend]
    assert first <= (major, minor) < (first[0] + 1, 0)


def test_its_user_is_not_root_and_has_a_manager_without_being_logged_in(host: Host) -> None:
    assert host.run("id --user").stdout.strip() != "0"
    assert host.run("systemctl --user is-active basic.target").stdout.strip() == "active"
    assert "Linger=yes" in host.run("loginctl show-user ai --property=Linger").stdout


def test_it_has_no_python_as_the_normal_path_needs_none(host: Host) -> None:
    assert host.run("command -v python3", check=False).returncode != 0


def test_it_is_on_a_network_of_its_own(host: Host) -> None:
    ours = {link["ifname"] for link in json.loads(as_root("ip -json link"))} - {"lo"}
    theirs = {line.split()[0].partition("@")[0] for line in host.run("ip -brief link").stdout.splitlines()}
    assert theirs == {"lo", "host0"}
    assert not ours & theirs
    outside = str(Path("/proc/self/ns/net").readlink())
    assert host.run("readlink /proc/1/ns/net", user="root").stdout.strip() != outside


def test_it_reaches_packages_as_this_machine_does(host: Host) -> None:
    host.run("apt-get update --quiet", user="root", timeout=120)


def test_files_go_in_and_come_back(host: Host, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(bytes(range(256)))
    host.put(tmp_path / "in", "carried")
    host.get("carried", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == bytes(range(256))
    assert host.run("cat", input="typed").stdout == "typed"


@pytest.fixture
def other_host(host: Host) -> str:
    """A kind of which one more is booted; once for all kinds is enough."""
    if host.recipe.backend != "quadlet":
        pytest.skip("what boots hosts is the same for all of them, and tested with debian13")
    return host.recipe.name


def test_it_reboots_and_keeps_its_files_and_its_network(other_host: str) -> None:
    with running_host(other_host) as host:
        host.run("echo kept > kept")
        host.reboot()
        assert host.boots == 2
        assert host.run("cat kept").stdout == "kept\n"
        host.run("apt-get update --quiet", user="root", timeout=120)


PROGRAM = """
import sys, time
from tests.hosts.host import running_host
with running_host(sys.argv[1]) as host:
    print(host.keeper.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("who", ["the tests", "the keeper"])
def test_killed_tests_leave_nothing(other_host: str, who: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, other_host], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    ) as tests:
        assert tests.stdout
        try:
            keeper = int(tests.stdout.readline())
            machine = machine_of(keeper)
            assert machine in left_over()
            if who == "the keeper":
                as_root(f"kill -KILL {keeper}")
                eventually(lambda: not processes_of(machine), "its processes end with it", WITHIN_S)
        finally:
            tests.send_signal(signal.SIGKILL)
    if who == "the keeper":
        with running_host(other_host):
            pass
    eventually(lambda: machine not in left_over(), "nothing is left over", WITHIN_S)


def machine_of(keeper: int) -> str:
    """The name of a keeper's host; with sudo, the keeper is its child."""
    children = as_root(f"pgrep --parent {keeper} --exact sudo || true").split()
    return f"as{machine_of(int(children[0])).removeprefix('as')}" if children else f"as{keeper}"


def processes_of(machine: str) -> list[str]:
    """The brackets keep the shell that asks from finding itself."""
    return as_root(f"pgrep --full -- '[-]-machine={machine} ' || true").split()


def left_over() -> str:
    """Everything that a host could leave on this machine, by the names that hosts have. Not zombies: when the
    first process asks for them is not ours to say."""
    return as_root(
        "ip -brief link | grep -o 've-as[0-9]*' ; nft list tables | grep -o 'ai_semble_test_as[0-9]*';"
        " ls /run/ai-semble-test-hosts | grep json;"
        " ps -eo stat=,cgroup= | grep -v ^Z | grep -o 'ai-semble-test-as[0-9]*';"
        f" ls {CHECKOUT}/.hosts/runs 2>&-; true"
    )
