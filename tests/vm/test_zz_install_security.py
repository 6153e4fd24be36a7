"""The layers that a kernel must have: installed, seen by the commands of the front page, and taken away again.

The last file of this folder by its name: taking a policy away concerns whatever runs under it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ai_semble.topology import SERVICES
from tests.hosts.host import Host
from tests.machine.belongings import eventually
from tests.support.securing import FOLDER, PORT, PROFILES, put_scripts, secure, status

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def secured(host: Host) -> Iterator[Host]:
    put_scripts(host)
    secure(host)
    yield host
    # What other tests have started goes on under the policy that it knows.
    secure(host)
    host.run(f"rm -r {FOLDER}")


@pytest.mark.selinux
def test_semodule_lists_the_policy(secured: Host) -> None:
    assert secured.run("sudo semodule -l | grep ai_semble").stdout == "ai_semble\n"
    assert status(secured)["selinux"] == "on      enforcing, with the module ai_semble"


@pytest.mark.apparmor
def test_apparmor_enforces_the_profiles(secured: Host) -> None:
    assert loaded(secured) == {*(f"ai-semble-{service}" for service in SERVICES), "ai-semble-healthy"}
    assert status(secured, sudo="sudo")["apparmor"].startswith("on")


def test_the_profiles_of_system_calls_are_listed(secured: Host) -> None:
    listed = secured.run(f"ls -la {PROFILES}/").stdout
    assert {f"ai-semble-{service}.json" for service in SERVICES} <= set(listed.split())


def test_firewalld_lists_the_port_while_it_is_open(secured: Host) -> None:
    start_firewalld(secured)
    try:
        assert ports(secured) == ports(secured, "--permanent") == ""
        assert status(secured)["firewall"] == "on      firewalld; opened by this script: nothing"
        secure(secured, "--open-port")
        assert ports(secured) == ports(secured, "--permanent") == f"{PORT}/tcp"
        assert status(secured)["firewall"] == f"on      firewalld; opened by this script: {PORT}"
        secure(secured, "--close-port", str(PORT))
        assert ports(secured) == ports(secured, "--permanent") == ""
    finally:
        secured.run("systemctl stop firewalld", user="root")


def start_firewalld(host: Host) -> None:
    """Its unit asks it once whether it is up; where the processor is emulated it has not answered by then."""
    host.run(
        """mkdir --parents /run/systemd/system/firewalld.service.d
        printf '[Service]\\nExecStartPost=\\n' >/run/systemd/system/firewalld.service.d/slow.conf
        systemctl daemon-reload && systemctl start firewalld""",
        user="root",
    )
    eventually(
        lambda: host.run("firewall-cmd --state", user="root", check=False).returncode == 0,
        "firewalld answers",
        60 * host.slowness,
    )


def ports(host: Host, when: str = "") -> str:
    return host.run(f"sudo firewall-cmd {when} --list-ports").stdout.strip()


def loaded(host: Host) -> set[str]:
    """The profiles of ours that AppArmor enforces."""
    profiles = "/sys/kernel/security/apparmor/profiles"
    lines = host.run(f"cat {profiles} 2>/dev/null || true", user="root").stdout.splitlines()
    return {line.split()[0] for line in lines if line.startswith("ai-semble-") and line.endswith("(enforce)")}


def test_uninstalled_there_is_nothing_of_it(secured: Host) -> None:
    secure(secured, "--uninstall")
    left = secured.run(
        "semodule -l | grep ai_semble; ls /etc/apparmor.d/ /etc/apparmor.d/abstractions | grep ai-semble;"
        f" ls {PROFILES} /var/lib/ai-semble-security 2>/dev/null; true",
        user="root",
    )
    assert left.stdout == ""
    assert loaded(secured) == set()
