"""AppArmor on a whole kernel: the profiles confine the services of a rootless pod, which does its work under them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from ai_semble.topology import DATA, LLM, NLP, ORCHESTRATOR, SERVICES, VISION, Service
from tests.hosts.environment import Installed
from tests.hosts.pod_world import PYTHON, container
from tests.support.attacks import attack
from tests.support.pictures import photo
from tests.vm.denials import denied
from tests.vm.processes import labels
from tests.vm.work import work

pytestmark = pytest.mark.apparmor

PROFILES = "security/apparmor/abstractions/ai-semble"
# Who starts a program from outside comes with no profile, or with that of the health check.
FROM_OUTSIDE = {"unconfined", "ai-semble-healthy (enforce)"}
# What a service that was taken over could do in its own process, tried in its container under its profile: who starts
# a program from outside may choose a profile, and cannot leave it again. Prints what came of each attempt.
ENTER = f"""
import os, sys
profile, script = sys.argv[1:]
if profile:
    with open("/proc/self/attr/apparmor/exec", "w") as chosen:
        chosen.write(f"exec {{profile}}")
os.execv({PYTHON!r}, [{PYTHON!r}, "-c", script])
"""
ATTEMPTS = """
import ctypes, glob, json, os, subprocess

def planted(path, source):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o755), "wb") as copy:
        copy.write(open(source, "rb").read())
    return path

def shell():
    subprocess.run(["/bin/sh", "-c", "exit 0"], check=True)

def program_of_its_own():
    subprocess.run([planted("/tmp/planted", "/usr/bin/true")], check=True)

def library_of_its_own():
    ctypes.CDLL(planted("/tmp/planted.so", *glob.glob("/usr/lib/*/libgcc_s.so.1")))

def file_that_it_never_needs():
    open("/var/lib/dpkg/status").read(9)

def memory_of_a_process():
    open("/proc/1/mem", "rb").close()

def environment_of_a_process():
    open("/proc/1/environ", "rb").read(9)

def setting_of_the_kernel():
    open("/proc/sys/kernel/core_pattern").read(9)

def another_profile():
    with open("/proc/self/attr/current", "w") as label:
        label.write("changeprofile ai-semble-healthy")

ATTEMPTS = (shell, program_of_its_own, library_of_its_own, file_that_it_never_needs, memory_of_a_process,
            environment_of_a_process, setting_of_the_kernel, another_profile)
came = {}
for attempt in ATTEMPTS:
    try:
        attempt()
        came[attempt.__name__] = "done"
    except Exception as error:
        came[attempt.__name__] = f"{type(error).__name__}: {error}"
print(json.dumps(came))
"""
PLANTED = ("/tmp/planted", "/tmp/planted.so")  # noqa: S108 - inside a container
Attempts = dict[str, str]


@pytest.fixture(scope="module")
def denied_work(running: Installed, shared_files: tuple[Path, str]) -> list[str]:
    """What was denied to our profiles since the boot: setup, start, and a call of each kind."""
    folder, url = shared_files
    photo("chelsea").save(folder / "image.jpg", quality=92)
    work(running, url)
    return denied(running.host)


def attempts(running: Installed, service: Service, profile: str) -> Attempts:
    words = ["podman", "exec", container(service.name), PYTHON, "-c", ENTER, profile, ATTEMPTS]
    came: Attempts = json.loads(running.host.run(shlex.join(words)).stdout)
    return came


def test_the_check_finds_a_profile_for_each_service(installed: Installed) -> None:
    said = installed.script("bash scripts/checks/apparmor.sh pod").stdout
    assert said.startswith("ok ")
    assert "a profile for each service" in said


def test_every_process_of_a_service_is_under_its_profile(running: Installed) -> None:
    found = {name: seen - FROM_OUTSIDE for name, seen in labels(running.host).items()}
    assert found == {name: {f"{service.program} (enforce)"} for name, service in SERVICES.items()}


def test_the_language_model_says_so_itself(running: Installed) -> None:
    line = f"podman exec {container(LLM.name)} cat /proc/1/attr/current"
    assert running.host.run(line).stdout == "ai-semble-llm (enforce)\n"


def test_normal_work_is_denied_nothing(denied_work: list[str]) -> None:
    assert denied_work == []


def test_status_tells_what_confines_every_service(running: Installed) -> None:
    told = json.loads(running.deploy("status", "--json").stdout)["services"]
    assert {name: seen["confinement"]["apparmor"] for name, seen in told.items()} == {
        name: f"{service.program} (enforce)" for name, service in SERVICES.items()
    }


@pytest.mark.thorough
def test_status_says_it_in_words(running: Installed) -> None:
    shown = running.deploy("status").stdout
    assert "confined by     seccomp, AppArmor, no new privileges" in shown.splitlines()


@attack(
    threat="It starts a shell, or a program or library that it has written; reads what its service never does; looks"
    " into a process; takes another profile",
    control="The AppArmor profile of each service, where the host has AppArmor",
    file=PROFILES,
)
@pytest.mark.parametrize(
    "service",
    [NLP, *(pytest.param(other, marks=pytest.mark.thorough) for other in (ORCHESTRATOR, LLM, VISION, DATA))],
    ids=lambda service: service.name,
)
def test_a_service_that_was_taken_over_leaves_its_profile_by_no_way(
    running: Installed, service: Service
) -> None:
    came = attempts(running, service, service.program)
    assert "done" not in came.values(), came
    said = "\n".join(denied(running.host))
    for name in ("/usr/bin/dash", *PLANTED, "/var/lib/dpkg/status"):
        assert f'profile="{service.program}" name="{name}"' in said, name


@pytest.mark.thorough
def test_without_its_profile_most_of_that_would_be_possible(running: Installed) -> None:
    came = attempts(running, NLP, "")
    done = {name for name, how in came.items() if how == "done"}
    possible = {
        "shell", "file_that_it_never_needs", "environment_of_a_process", "setting_of_the_kernel",
    }  # fmt: skip
    assert possible <= done, came
