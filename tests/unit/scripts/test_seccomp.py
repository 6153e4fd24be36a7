"""The seccomp profiles, as files, and what is made of a trace."""

from __future__ import annotations

import json

import pytest

import seccomp
import seccomp_trace
from ai_semble.render.kube import files as kube
from ai_semble.render.quadlet import files as quadlets
from ai_semble.render.variants import Environment, Host, Version
from ai_semble.topology import SERVICES
from seccomp_table import REFUSED
from seccomp_table import SERVICES as TABLE
from tests.support.system_calls import allowed_by_default, is_known, number_of

SET_MODE_FILTER, TSYNC, SPEC_ALLOW = 1, 1, 4
NEVER = """
ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp mount umount2 move_mount open_tree pivot_root chroot unshare
setns clone3 keyctl add_key request_key bpf perf_event_open io_uring_setup io_uring_enter io_uring_register userfaultfd
open_by_handle_at kexec_load kexec_file_load init_module finit_module delete_module personality reboot swapon mknod
execveat memfd_create setuid setgid setgroups capset splice
"""


def profile(service: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((seccomp.PROFILES / f"{service}.json").read_text(encoding="utf-8"))
    return found


def allowed(service: str) -> set[str]:
    rules = profile(service)["syscalls"]
    assert isinstance(rules, list)
    return {name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}


def test_every_service_has_a_profile_and_every_profile_a_service() -> None:
    assert {path.stem for path in seccomp.PROFILES.iterdir()} == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_not_named_is_refused(service: str) -> None:
    assert profile(service)["defaultAction"] == "SCMP_ACT_ERRNO"
    assert not allowed(service) & {*NEVER.split(), *REFUSED.names}


@pytest.mark.parametrize("service", SERVICES)
def test_a_filter_may_be_added_and_nothing_else_be_asked_of_seccomp(service: str) -> None:
    rules = profile(service)["syscalls"]
    assert isinstance(rules, list)
    (rule,) = (rule for rule in rules if "seccomp" in rule["names"])
    conditions = {(one["index"], one["op"], one["value"]) for one in rule["args"]}
    assert conditions == {(0, "SCMP_CMP_EQ", SET_MODE_FILTER), (1, "SCMP_CMP_EQ", TSYNC | SPEC_ALLOW)}


@pytest.mark.parametrize("service", SERVICES)
def test_a_profile_allows_at_most_half_of_what_podmans_own_does(service: str) -> None:
    text = (seccomp.PROFILES / f"{service}.json").read_text(encoding="utf-8")
    assert 0 < allowed_by_default(text) <= len(allowed(service)) <= min(seccomp.PODMAN_ALLOWS.values()) / 2


def test_every_name_is_one_of_a_system_call() -> None:
    names = set(REFUSED.names).union(*(seccomp.allowed(groups) for groups in TABLE.values()))
    assert not [name for name in names if not is_known(name)]


@pytest.mark.parametrize("service", SERVICES)
def test_a_unit_names_the_profile_of_its_service(service: str) -> None:
    unit = quadlets(Host(), Environment("research", 8180))[f"ai-semble-research-{service}.container"]
    assert f"SeccompProfile=%E/containers/ai-semble/seccomp-research/{service}.json" in unit.splitlines()
    made = kube(Host(Version(4, 3)), Environment())
    annotation = f"container.seccomp.security.alpha.kubernetes.io/{service}: localhost/{service}.json"
    assert annotation in map(str.strip, made["ai-semble.yaml"].splitlines())
    assert "--seccomp-profile-root %E/containers/ai-semble/seccomp " in made["ai-semble-pod.service"]


def test_a_trace_tells_what_each_service_made_and_what_was_refused() -> None:
    read, write, ptrace = map(number_of, ("read", "write", "ptrace"))
    lines = [
        json.dumps({"type": "attached_probes", "data": {"probes": 2}}),
        "",
        json.dumps({"type": "map", "data": {"@entered": {f"7,{read}": 3, f"8,{write}": 1}}}),
        json.dumps({"type": "map", "data": {"@left": {f"7,{read}": 3, f"7,{ptrace}": 1, "7,-1": 9}}}),
    ]
    entered, left = seccomp_trace.parse(lines, {"7": "nlp"})
    assert (entered, left) == ({"nlp": {"read"}}, {"nlp": {"read", "ptrace", "-1"}})
    report = seccomp_trace.report(entered, left).splitlines()
    at = next(number for number, line in enumerate(report) if line.startswith("nlp: made 1 calls"))
    assert report[at + 1].split() == ["missing:", "ptrace"]
    assert "write" in report[at + 2].split()
    assert "read" not in report[at + 2].split()


@pytest.mark.parametrize(
    ("command", "service"),
    [
        (b"/opt/ai-semble/bin/python\0/opt/ai-semble/bin/ai-semble-nlp\0", "nlp"),
        (b"python\0-m\0ai_semble.cli\0serve\0nlp\0", "nlp"),
        (b"ai-semble\0serve\0", None),
        (b"ai-semble\0serve\0another\0", None),
        (b"bash\0-c\0sleep 1\0", None),
        (b"", None),
    ],
)
def test_a_process_is_a_service_by_its_command_line(command: bytes, service: str | None) -> None:
    assert seccomp_trace.service_of(command) == service
