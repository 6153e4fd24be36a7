"""The AppArmor profiles, as files: one a service, at the path that its image runs, and whole."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ai_semble.render.table import HEALTHY, HOME, MODELS, SECRETS, SOURCE, TMP
from ai_semble.topology import SERVICES

PROFILES = Path(__file__).parents[3] / "security" / "apparmor"
FILES = sorted(PROFILES.glob("ai-semble-*"))
# The oldest and the newest way of asking sockets that a kernel may have; the parser drops what the kernel lacks.
KERNELS = ("3.0", "kernel-5.4-vanilla")
HEADER = re.compile(r"^profile (\S+) (\S+) flags=\(attach_disconnected,mediate_deleted\) \{$", re.MULTILINE)


def rules(file: Path) -> list[str]:
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_profiles_are_understood(kernel: str) -> None:
    parser = shutil.which("apparmor_parser", path="/usr/sbin:/sbin")
    if parser is None:
        pytest.skip("apparmor_parser is missing; run: sudo apt-get install apparmor")
    only_read = ["--skip-kernel-load", "--skip-cache", "--kernel-features", f"/etc/apparmor.d/abi/{kernel}"]
    command = [parser, *only_read, "--names", "--Include", str(PROFILES), *map(str, FILES)]
    read = subprocess.run(command, capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr
    assert sorted(read.stdout.split()) == [file.name for file in FILES]


def test_a_profile_attaches_to_each_program_that_podman_starts() -> None:
    attached = {file.name: HEADER.findall(file.read_text(encoding="utf-8")) for file in FILES}
    programs = [f"/opt/ai-semble/bin/{service.program}" for service in SERVICES.values()]
    assert attached == {Path(path).name: [(Path(path).name, path)] for path in (*programs, HEALTHY)}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_start_python_and_nothing_else(service: str) -> None:
    started = [
        rule
        for file in (PROFILES / f"ai-semble-{service}", PROFILES / "abstractions" / "ai-semble")
        for rule in rules(file)
        if re.search(r" [a-z]*x,$", rule, re.IGNORECASE)
    ]
    assert started == ["/usr/bin/python3* mrix,"]


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_that_a_service_writes_may_be_loaded_or_started(service: str) -> None:
    for file in (PROFILES / f"ai-semble-{service}", PROFILES / "abstractions" / "ai-semble"):
        permissions = [rule.split()[-1] for rule in rules(file) if rule.startswith("/")]
        assert not [given for given in permissions if "w" in given and ("m" in given or "x" in given)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_profile_grants_no_capability_mount_or_trace(file: Path) -> None:
    words = {
        rule.split()[0].rstrip(",")
        for rule in (*rules(file), *rules(PROFILES / "abstractions" / "ai-semble"))
    }
    assert not words & {
        "capability",
        "mount",
        "umount",
        "pivot_root",
        "ptrace",
        "change_profile",
        "dbus",
        "userns",
    }


def test_the_folders_of_the_containers_are_those_of_the_rules() -> None:
    common = (PROFILES / "abstractions" / "ai-semble").read_text(encoding="utf-8")
    assert f"/{{{TMP[1:]},{HOME[1:]}}}/** rwk," in common
    assert f"/run/{{secrets,{Path(SECRETS).name}}}/** r," in common
    assert f"{SOURCE}/** r," in common
    of_models = {file.name for file in FILES if f"{MODELS}/{{,**}} r," in rules(file)}
    assert of_models == {"ai-semble-llm", "ai-semble-vision", "ai-semble-nlp"}
