"""What is said where a kernel has SELinux or AppArmor and our policy is missing, each with its fix.

The kernel's files are made up, in a mount namespace of its own. tests/vm has real ones.
"""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from tests.shell.conftest import CHECKOUT, Shell

NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
SELINUX, APPARMOR = "/sys/fs/selinux", "/sys/module/apparmor/parameters"
LOADED = "/sys/kernel/security/apparmor/policy/profiles"
PROFILES = sorted(path.name for path in (CHECKOUT / "security" / "apparmor").glob("ai-semble-*"))
# Which types the kernel knows: what is written to `context` is refused, or not.
WITHOUT_MODULE = f"mkdir -p {SELINUX}/context"
WITH_MODULE = f"mkdir -p {SELINUX}; touch {SELINUX}/context"
LACK = "/etc/apparmor.d has the profiles; the kernel enforces"
INSTALL = "sudo ./scripts/install-security.sh"


def with_kernel(shell: Shell, files: str, *command: str) -> str:
    """What a command prints where the kernel has these files."""
    folders = "for one in /sys/fs /sys/module /sys/kernel/security; do mount -t tmpfs none $one; done"
    if subprocess.run([*NAMESPACE, "bash", "-euc", folders], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets no user mount anything; sysctl user.max_user_namespaces")
    shell.stub("podman", '#!/bin/sh\ncase "$1" in info) echo true ;; version) echo 5.4.2 ;; esac\n')
    words = shlex.join(["env", f"PATH={shell.bin}:/usr/bin:/bin", "bash", *command])
    return subprocess.run(
        [*NAMESPACE, "bash", "-euc", f"{folders}\n{files}\nexec {words}"],
        env={**shell.variables, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout


def selinux(mode: int, module: str) -> str:
    return f"{module}; echo {mode} >{SELINUX}/enforce"


def apparmor(**modes: str) -> str:
    lines = [f"mkdir -p {APPARMOR} {LOADED}; echo Y >{APPARMOR}/enabled"]
    for number, name in enumerate(PROFILES):
        if mode := modes.get(name.replace("-", "_"), modes["others"]):
            lines.append(
                f"mkdir {LOADED}/{name}.{number}; echo {mode} >{LOADED}/{name}.{number}/mode",
            )
    return "; ".join(lines)


def finding(shell: Shell, name: str, files: str) -> str:
    """What `setup.sh --check` says of one subject, in one line."""
    said = with_kernel(shell, files, "scripts/setup.sh", "--check")
    found = re.search(rf"^\w+ +{name} .*(\n +fix: .*)?", said, re.M)
    assert found, said
    return re.sub(r"\s+", " ", found[0])


def test_without_the_selinux_module_the_check_says_what_services_share_and_what_mends_it(
    shell: Shell,
) -> None:
    assert finding(shell, "selinux", selinux(1, WITHOUT_MODULE)) == (
        "warn selinux enforcing, but all services share the domain container_t "
        f"fix: {INSTALL} gives each its own; then ./scripts/setup.sh"
    )
    assert finding(shell, "selinux", selinux(1, WITH_MODULE)) == (
        "ok selinux enforcing, each service in a domain of its own"
    )


def test_selinux_that_only_warns_is_a_finding(shell: Shell) -> None:
    assert finding(shell, "selinux", selinux(0, WITH_MODULE)).startswith(
        "warn selinux SELinux only warns (permissive), so it protects nothing fix: sudo setenforce 1"
    )


@pytest.mark.parametrize(
    "modes", [{"others": ""}, {"others": "enforce", "ai_semble_llm": ""}, {"others": "complain"}]
)
def test_without_an_enforced_profile_a_service_the_check_says_what_mends_it(
    shell: Shell, modes: dict[str, str]
) -> None:
    assert finding(shell, "apparmor", apparmor(**modes)) == (
        f"warn apparmor on, but lacks the profiles of the services fix: {INSTALL}, then ./scripts/deploy.sh restart"
    )


def test_with_all_profiles_the_check_is_content(shell: Shell) -> None:
    assert finding(shell, "apparmor", apparmor(others="enforce")) == (
        "ok apparmor on, has a profile for each service, and lets rootless containers run"
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (selinux(1, WITHOUT_MODULE), "selinux     off     enforcing, without the module ai_semble"),
        (apparmor(others=""), "apparmor    off     on, without profiles of Ai-semble"),
        ("", "selinux     absent  this kernel has no SELinux, or does not use it"),
        ("", "apparmor    absent  this kernel has no AppArmor, or does not use it"),
    ],
)
def test_status_tells_a_policy_that_is_missing_from_a_kernel_without(
    shell: Shell, files: str, said: str
) -> None:
    shell.stub("semodule", "#!/bin/sh\n")
    words = with_kernel(shell, files, "scripts/install-security.sh", "--status", "--user", "nobody")
    assert said in words.splitlines()


# A copy of /etc, to put the profiles there.
PROFILE_FILES = "/etc/apparmor.d"
INSTALLED = f"""cp --recursive /etc /sys/fs/etc 2>/dev/null || true
mount --bind /sys/fs/etc /etc
mkdir -p {PROFILE_FILES}/abstractions
cp security/apparmor/ai-semble-* {PROFILE_FILES}
cp security/apparmor/abstractions/* {PROFILE_FILES}/abstractions"""


@pytest.mark.parametrize(
    ("kernel", "said"),
    [
        (apparmor(others="enforce"), "on      6 profiles in /etc/apparmor.d, all enforced"),
        (apparmor(others="enforce", ai_semble_llm="complain"), f"off     {LACK} 5 of 6"),
        (apparmor(others="complain"), f"off     {LACK} 0 of 6"),
        (apparmor(others=""), f"off     {LACK} 0 of 6"),
        (f"{apparmor(others='')}; rm -r {LOADED}", f"off     {LACK} 0 of 6"),
    ],
    ids=["all", "all but one", "complaining", "not loaded", "unreadable"],
)
def test_profiles_that_lie_there_are_on_only_when_the_kernel_enforces_them(
    shell: Shell, kernel: str, said: str
) -> None:
    words = with_kernel(shell, f"{kernel}\n{INSTALLED}", "scripts/security/apparmor.sh", "status")
    assert words == f"apparmor    {said}\n"


@pytest.mark.parametrize(
    ("delegated", "limits"),
    [("cpuset cpu io memory pids", "cpu,memory,pids"), ("pids", "pids"), ("", "none")],
)
def test_limits_are_those_that_systemd_delegates_also_while_nobody_uses_them(
    shell: Shell, delegated: str, limits: str
) -> None:
    folder = "/sys/fs/cgroup/user.slice/user-0.slice/user@0.service"
    files = f"mkdir -p {folder}; echo {delegated} >{folder}/cgroup.controllers"
    command = "source scripts/lib/common.sh; source scripts/lib/backends.sh; pod_limits"
    assert with_kernel(shell, files, "-euc", command).strip() == limits
