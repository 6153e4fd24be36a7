"""The hosts in QEMU: the kernel that was asked for, what a user's machine delegates, and nothing left over."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hosts.environment import Installed
from tests.hosts.host import Host
from tests.hosts.recipes import CHECKOUT
from tests.hosts.requirements import as_root
from tests.machine.belongings import eventually
from tests.machine.test_host import left_over

LEFT_WITHIN_S = 180
LABELLED = """
import os, sys
from pathlib import Path
from tests.hosts.emulator import LABEL, forget_labels
folder = Path(sys.argv[1])
(folder / "inside").mkdir()
(folder / "inside/link").symlink_to("nowhere")
for path in (folder, *folder.rglob("*")):
    os.setxattr(path, LABEL, b"user_u:object_r:user_home_t:s0", follow_symlinks=False)
forget_labels(folder)
print([os.listxattr(path, follow_symlinks=False) for path in (folder, *folder.rglob("*"))])
"""
PROGRAM = """
import sys
from tests.hosts.host import running_host
with running_host(sys.argv[1]):
    pass
"""


def test_its_kernel_confines_programs_by_what_was_asked_for(host: Host) -> None:
    modules = host.run("cat /sys/kernel/security/lsm").stdout.split(",")
    assert [name for name in ("apparmor", "selinux") if name in modules] == [host.recipe.name.split("-")[1]]


def test_a_home_takes_no_labels_to_another_kernel(tmp_path: Path) -> None:
    program = as_root(sys.executable, "-c", LABELLED, str(tmp_path))
    said = subprocess.run(program, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    assert said == "[[], [], []]\n"


@pytest.mark.selinux
def test_selinux_enforces_and_its_user_is_no_program_of_the_system(host: Host) -> None:
    assert host.run("getenforce", user="root").stdout.strip() == "Enforcing"
    assert host.run("id --context").stdout.split(":")[2] == "unconfined_t"


def test_its_user_may_limit_memory_processors_and_processes(host: Host) -> None:
    service = "/sys/fs/cgroup/user.slice/user-$UID.slice/user@$UID.service"
    delegated = host.run(f"cat {service}/cgroup.controllers").stdout.split()
    assert {"cpu", "memory", "pids"} <= set(delegated)


@pytest.mark.thorough
def test_a_check_finds_that_limits_can_be_set(installed: Installed) -> None:
    lines = installed.script("bash scripts/checks/cgroup.sh pod").stdout
    assert lines.startswith("ok"), lines


@pytest.mark.thorough
def test_killed_tests_leave_nothing_while_it_boots(host: Host) -> None:
    before = left_over()
    with subprocess.Popen([sys.executable, "-c", PROGRAM, host.recipe.name], cwd=CHECKOUT) as tests:
        try:
            eventually(lambda: left_over().count("ve-as") > before.count("ve-as"), "it has a network")
        finally:
            tests.send_signal(signal.SIGKILL)
    eventually(lambda: left_over() == before, "nothing is left over", LEFT_WITHIN_S)


@pytest.mark.thorough
def test_the_pod_comes_back_with_the_machine(running: Installed) -> None:
    running.host.run("sync && echo kept > kept")
    running.host.reboot()
    assert running.host.run("cat kept").stdout == "kept\n"
    eventually(
        lambda: running.deploy("health", check=False).returncode == 0,
        "every service is ready",
        running.host.slowness * 60,
    )
