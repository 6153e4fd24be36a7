"""What each container may not ask of the kernel, tried from inside, beside the same question without a profile."""

from __future__ import annotations

import errno
import json
import shlex

import httpx
import pytest

import seccomp
from ai_semble.topology import DATA, LLM, ORCHESTRATOR, SERVICES
from tests.hosts.environment import Installed
from tests.hosts.pod_world import PYTHON, container
from tests.machine.belongings import eventually, is_well
from tests.support.attacks import attack
from tests.support.system_calls import allowed_by_default, number_of

PROFILES = "~/.config/containers/ai-semble/seccomp"
REFUSED = {-errno.EPERM, -errno.ENOSYS}
UNCONFINED = (
    "podman run --rm --interactive --pull never --network none --read-only --cap-drop all"
    " --security-opt no-new-privileges --security-opt seccomp=unconfined"
)
# Makes the calls [name, number, arguments] that it reads, and prints what came of each: a result, or minus an errno.
MAKE = """
import ctypes, json, sys
libc = ctypes.CDLL(None, use_errno=True)
answers = {}
for name, number, arguments in json.load(sys.stdin):
    result = libc.syscall(number, *map(ctypes.c_long, arguments))
    answers[name] = -ctypes.get_errno() if result == -1 else result
print(json.dumps(answers))
"""
NEW_USER, FS = 0x10000000, 0x200
UNIX, INET, NETLINK, PACKET, VSOCK, STREAM, DATAGRAM, RAW = 1, 2, 16, 17, 40, 1, 2, 3
AUDIT, TIOCSTI, GET_KEEPCAPS = 9, 0x5412, 7
Calls = dict[str, list[int]]

# Arguments with which nothing happens, and the kernel would answer neither EPERM nor ENOSYS.
FORBIDDEN: Calls = {
    "ptrace": [0, 0, 0, 0],
    "process_vm_readv": [0, 0, 0, 0, 0, 0],
    "pidfd_getfd": [-1, 0, 0],
    "mount": [0, 0, 0, 0, 0],
    "umount2": [0, 0],
    "chroot": [0],
    "mknodat": [-1, 0, 0, 0],
    "name_to_handle_at": [-1, 0, 0, 0, 0],
    "unshare": [0],
    "setns": [-1, 0],
    "clone": [NEW_USER | FS, 0, 0, 0, 0],
    "clone3": [0, 0],
    "keyctl": [9999, 0, 0, 0, 0],
    "add_key": [0, 0, 0, 0, 0],
    "perf_event_open": [0, 0, -1, -1, 0],
    "io_uring_setup": [0, 0],
    "userfaultfd": [1],
    "personality": [0xFFFFFFFF],
    "execveat": [-1, 0, 0, 0, 0],
    "memfd_create": [0, 0],
    "inotify_init1": [0],
    "prctl": [GET_KEEPCAPS, 0, 0, 0, 0],
    "ioctl": [0, TIOCSTI, 0],
}
# Sockets: the kernel's own answer is EPERM or that it has no such family, the filter's is ENOSYS.
SOCKETS: Calls = {
    "packets": [PACKET, RAW, 0],
    "raw": [INET, RAW, 1],
    "vsock": [VSOCK, STREAM, 0],
    "audit": [NETLINK, RAW, AUDIT],
}
DATAGRAMS: Calls = {"datagrams": [INET, DATAGRAM, 0], "routes": [NETLINK, RAW, 0]}
# Without capabilities the kernel refuses these, too.
REFUSED_TWICE: Calls = {
    "bpf": [9999, 0, 0],
    "kexec_load": [0, 0, 0, 0],
    "init_module": [0, 0, 0],
    "open_by_handle_at": [-1, 0, 0],
    "reboot": [0, 0, 0, 0],
    "swapon": [0, 0],
    "syslog": [9999, 0, 0],
}
LANDLOCK: Calls = {"landlock_create_ruleset": [0, 0, 1]}

each_service = pytest.mark.parametrize("service", list(SERVICES))


def answers(running: Installed, start: str, calls: Calls, call: str = "") -> dict[str, int]:
    """What came of the calls in a process that `start` starts; `call` is the one that all are, with many names."""
    asked = [[name, number_of(call or name), arguments] for name, arguments in calls.items()]
    line = f"{start} {PYTHON} -c {shlex.quote(MAKE)}"
    said: dict[str, int] = json.loads(running.host.run(line, input=json.dumps(asked)).stdout)
    return said


def inside(service: str) -> str:
    return f"podman exec --interactive {container(service)}"


def unconfined(service: str) -> str:
    return f"{UNCONFINED} localhost/ai-semble/{service}:latest"


@attack(
    threat="It traces, mounts, makes namespaces, loads code into the kernel, uses io_uring or key rings",
    control="A seccomp profile of its own for each service, which allows what it was seen to need",
    file="security/seccomp/nlp.json",
)
@each_service
def test_it_cannot_ask_for_what_it_never_needs(running: Installed, service: str) -> None:
    said = answers(running, inside(service), FORBIDDEN | REFUSED_TWICE)
    assert set(said.values()) <= REFUSED, said
    free = answers(running, unconfined(service), FORBIDDEN)
    assert not [name for name, answer in free.items() if answer in REFUSED], free


@attack(
    threat="It has a raw or packet socket, or one to the hypervisor or the audit system",
    control="The profile allows no such families",
    file="security/seccomp/nlp.json",
)
@each_service
def test_it_cannot_have_a_socket_that_sees_or_forges_packets(running: Installed, service: str) -> None:
    said = answers(running, inside(service), SOCKETS, "socket")
    assert set(said.values()) == {-errno.ENOSYS}, said
    free = answers(running, unconfined(service), SOCKETS, "socket")
    assert -errno.ENOSYS not in free.values(), free


@attack(
    threat="A service that needs no network sends datagrams",
    control="The profile allows them to those that look up names",
    file="security/seccomp/nlp.json",
)
@each_service
def test_only_who_looks_up_names_has_datagrams(running: Installed, service: str) -> None:
    said = answers(running, inside(service), DATAGRAMS, "socket")
    if service in (ORCHESTRATOR.name, LLM.name):
        assert min(said.values()) >= 0, said
    else:
        assert set(said.values()) == {-errno.ENOSYS}, said


@each_service
def test_only_workers_of_data_give_up_files(running: Installed, service: str) -> None:
    said, free = (answers(running, start(service), LANDLOCK) for start in (inside, unconfined))
    assert said == (free if service == DATA.name else dict.fromkeys(LANDLOCK, -errno.ENOSYS))
    assert -errno.ENOSYS not in free.values()


def test_podmans_own_profile_allows_as_many_calls_as_the_documents_say(running: Installed) -> None:
    default = running.host.run("cat /usr/share/containers/seccomp.json").stdout
    assert allowed_by_default(default) == seccomp.PODMAN_ALLOWS[running.host.recipe.name]
    for service in SERVICES:
        own = running.host.run(f"cat {PROFILES}/{service}.json").stdout
        assert own == (seccomp.PROFILES / f"{service}.json").read_text(encoding="utf-8")
        assert allowed_by_default(own) <= allowed_by_default(default) / 2


@attack(
    threat="The profile is taken away, so that a service runs without one",
    control="A container whose profile is missing is not started",
    file="containers/base/src/ai_semble/render/quadlet.py",
)
@pytest.mark.thorough
def test_without_its_profile_a_service_does_not_run_and_with_it_again_it_does(
    running: Installed, api: httpx.Client
) -> None:
    unit = "ai-semble-nlp" if running.host.recipe.backend == "quadlet" else "ai-semble-pod"
    began = running.host.run("date +%s").stdout.strip()
    # Of all units: journald does not always know whose a process was that has ended already.
    journal = f"journalctl --user --since @{began} --output cat"
    running.host.run(f"mv {PROFILES}/nlp.json {PROFILES}/away")
    try:
        running.host.run(f"systemctl --user restart --no-block {unit}")
        eventually(
            lambda: "opening seccomp profile" in running.host.run(journal).stdout, "Podman misses the profile"
        )
        assert not running.host.run("podman ps --quiet --filter name=ai-semble-nlp").stdout
    finally:
        running.host.run(f"mv {PROFILES}/away {PROFILES}/nlp.json")
        eventually(lambda: is_well(running, api), "with its profile it runs again")
