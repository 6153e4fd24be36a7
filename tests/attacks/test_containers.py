"""A service of the pod that was taken over: what its process can reach"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

import pytest

from ai_semble.topology import SERVICES
from tests.hosts.fixtures import POD_TARGETS
from tests.hosts.pod_world import PYTHON, PodWorld, container
from tests.support.attacks import attack
from tests.support.worlds import World

QUADLETS = "containers/base/src/ai_semble/render/quadlet.py"
TABLE = "containers/base/src/ai_semble/render/table.py"
ROOTLESS = "Its user is an id of the user namespace that owns nothing; no capabilities, no new privileges"
READ_ONLY = "The root is read-only; it writes to its own volume and to memory"
OWN_NAMESPACES = "Process and mount namespaces of its own"

PROGRAMS = (
    "/opt/ai-semble/bin/python",
    "/usr/bin/evil",
    "/etc/passwd",
    "/etc/ai-semble/ai-semble.toml",
)

KERNEL = "import ctypes; libc = ctypes.CDLL(None, use_errno=True); "
SAY = "; print(r, ctypes.get_errno())"
FORK_BOMB = """
import os, signal, time
children = []
try:
    while len(children) < 20000:
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        children.append(child)
except OSError:
    pass
print(len(children), "children", flush=True)
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""

NAMESPACES = "import os; print(*[os.readlink('/proc/self/ns/' + kind) for kind in ('pid', 'mnt', 'user')])"
# The number and the command line of each process that there is; one may end meanwhile.
PROCESSES = """
import os
from pathlib import Path
for number in filter(str.isdigit, os.listdir("/proc")):
    try:
        words = Path("/proc", number, "cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        continue
    print(number, ascii(words.split(chr(0))))
"""
# Who asks to be traced, which the kernel alone always grants.
TRACED = (
    "import ctypes; l = ctypes.CDLL(None, use_errno=True); print(l.ptrace(0, 0, 0, 0), ctypes.get_errno())"
)

each_service = pytest.mark.parametrize("service", list(SERVICES))


@pytest.fixture
def pod(world: World) -> PodWorld:
    if world.target not in POD_TARGETS or not isinstance(world, PodWorld):
        pytest.skip("nothing isolates processes of this machine; run with --target=quadlet or kube")
    return world


def podman_5_only(pod: PodWorld, lack: str) -> None:
    if pod.target == "kube":
        pytest.skip(f"Podman 4 knows {lack} in a pod's description")


def inside(pod: PodWorld, service: str, script: str) -> str:
    """What Python says in a service's container, as the service's user; errors as well."""
    line = shlex.join(["podman", "exec", container(service), PYTHON, "-c", script])
    done = pod.host.run(line, check=False, timeout=60 * pod.host.slowness + 60)
    return done.stdout + done.stderr


def processes_seen(pod: PodWorld, service: str) -> dict[int, str]:
    """The command line of each process that there is for a service's container, by the number that it has there."""
    lines = inside(pod, service, PROCESSES).splitlines()
    return {int(number): words for number, _, words in (line.partition(" ") for line in lines)}


def options_of(path: str, mounts: Sequence[Sequence[str]]) -> list[str]:
    """How what a file lies on is mounted, by the lines of /proc/mounts, of which a later one covers others."""
    above = {str(folder) for folder in (PurePosixPath(path), *PurePosixPath(path).parents)}
    place = max((mount[1] for mount in mounts if mount[1] in above), key=len)
    return [mount[3] for mount in mounts if mount[1] == place][-1].split(",")


def refused(said: str) -> bool:
    return any(
        word in said for word in ("PermissionError", "Read-only file system", "FileNotFoundError", "OSError")
    )


@attack(threat="It reads the files of the person who runs it", control=OWN_NAMESPACES, file=QUADLETS)
@each_service
def test_it_sees_no_file_of_the_host(pod: PodWorld, service: str) -> None:
    pod.host.run("echo of-the-host > ~/secret-of-the-host")
    home = pod.host.run("echo ~").stdout.strip()
    look = f"import os; print(os.path.exists('{home}/secret-of-the-host'), os.listdir('/home'))"
    assert inside(pod, service, look).startswith("False []")


@attack(threat="It reads the passwords and keys of its own image's system", control=ROOTLESS, file=QUADLETS)
@each_service
def test_it_cannot_read_what_is_roots(pod: PodWorld, service: str) -> None:
    assert refused(inside(pod, service, "print(open('/etc/shadow').read())"))


@attack(
    threat="It reads /proc of the host, and the environments of other processes",
    control=OWN_NAMESPACES,
    file=QUADLETS,
)
@each_service
def test_it_sees_only_its_own_processes(pod: PodWorld, service: str) -> None:
    seen = processes_seen(pod, service)
    assert any(container(service) in words for words in seen.values()), seen
    for other in set(SERVICES) - {service}:
        assert not [words for words in seen.values() if container(other) in words], other


@attack(
    threat="It and another service, or the host, are in one namespace of processes or files",
    control=OWN_NAMESPACES,
    file=QUADLETS,
)
def test_no_two_services_share_processes_or_files(pod: PodWorld) -> None:
    of_all = {service: inside(pod, service, NAMESPACES).split() for service in SERVICES}
    host = of_all["the host"] = pod.host.run("cd /proc/self/ns && readlink pid mnt user").stdout.split()
    processes, files, users = zip(*of_all.values(), strict=True)
    assert len(set(processes)) == len(set(files)) == len(SERVICES) + 1, of_all
    assert users.count(host[2]) == 1, "the users of a service are those of the host"


@attack(
    threat="It reads memory or settings of the kernel",
    control="Podman masks them; there is no /dev/mem",
    file=QUADLETS,
)
@pytest.mark.parametrize(
    "path", ["/proc/kcore", "/dev/mem", "/dev/kmsg", "/proc/sched_debug", "/sys/firmware/acpi/tables"]
)
def test_it_reads_nothing_of_the_kernel(pod: PodWorld, path: str) -> None:
    read = f"import os; p = '{path}'; print(os.listdir(p) if os.path.isdir(p) else open(p, 'rb').read(64))"
    said = inside(pod, "nlp", read).strip()
    assert refused(said) or said in ("b''", "[]"), said


@attack(threat="It changes settings of the kernel", control="/proc/sys and /sys are read-only", file=QUADLETS)
@pytest.mark.parametrize(
    "path", ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper"]
)
def test_it_changes_nothing_of_the_kernel(pod: PodWorld, path: str) -> None:
    assert refused(inside(pod, "nlp", f"open('{path}', 'w').write('x')"))


@attack(
    threat="It reads another service's volume",
    control="Datasets and jobs are mounted into one container each",
    file=TABLE,
)
def test_the_data_of_one_service_are_not_in_another(pod: PodWorld) -> None:
    look = "import os; print(sorted(os.listdir('/var/lib/ai-semble')) if os.path.exists('/var/lib/ai-semble') else [])"
    for service in ("llm", "vision", "nlp"):
        said = inside(pod, service, look)
        assert "jobs" not in said, said
        assert "datasets" not in said, said


@attack(threat="It plants something in its own programs", control=READ_ONLY, file=QUADLETS)
@each_service
def test_it_cannot_change_its_own_programs(pod: PodWorld, service: str) -> None:
    for path in PROGRAMS:
        assert refused(inside(pod, service, f"open('{path}', 'a').write('x')")), path
    # These files are root's: they could not be written to on a root that is writable, either.
    told = inside(pod, service, "print(open('/proc/mounts').read().strip())")
    mounts = [line.split() for line in told.splitlines()]
    for path in PROGRAMS:
        assert "ro" in options_of(path, mounts), path


@attack(threat="It poisons a model that others open", control="Models are mounted read-only", file=TABLE)
@pytest.mark.parametrize("service", ["llm", "vision", "nlp"])
def test_it_cannot_change_or_replace_a_model(pod: PodWorld, service: str) -> None:
    poison = (
        "import pathlib; folder = pathlib.Path('/var/lib/ai-semble-models'); "
        "file = next(p for p in folder.rglob('*') if p.is_file()); print(file); file.rename(str(file) + '.x')"
    )
    said = inside(pod, service, poison)
    assert "Read-only file system" in said, said


@attack(threat="It mounts a file system", control=ROOTLESS, file=QUADLETS)
@each_service
def test_it_mounts_nothing(pod: PodWorld, service: str) -> None:
    mount = KERNEL + "r = libc.mount(b't', b'/tmp', b'tmpfs', 0, None)" + SAY
    assert "-1 1" in inside(pod, service, mount)


@attack(
    threat="It makes a user namespace, where it would be root",
    control="Podman's seccomp profile and no capabilities",
    file=QUADLETS,
)
def test_it_makes_no_mounts_in_a_namespace_of_its_own(pod: PodWorld) -> None:
    script = KERNEL + "r = libc.unshare(0x10020000)" + SAY
    assert "-1 1" in inside(pod, "nlp", script)


@attack(
    threat="It loads a module into the kernel, or a filter (bpf), or a key ring",
    control="No capabilities; seccomp",
    file=QUADLETS,
)
@pytest.mark.parametrize(
    ("name", "number"), [("init_module", 175), ("bpf", 321), ("kexec_load", 246), ("reboot", 169)]
)
def test_it_loads_nothing_into_the_kernel(pod: PodWorld, name: str, number: int) -> None:
    script = f"{KERNEL}r = libc.syscall({number}, 0, 0, 0, 0){SAY}"
    assert inside(pod, "nlp", script).split() in (["-1", "1"], ["-1", "38"])


@attack(threat="It listens to or forges packets", control="No CAP_NET_RAW", file=QUADLETS)
@pytest.mark.parametrize(
    "kind", ["socket.AF_INET, socket.SOCK_RAW, 1", "socket.AF_PACKET, socket.SOCK_RAW, 0"]
)
def test_it_opens_no_raw_socket(pod: PodWorld, kind: str) -> None:
    said = inside(pod, "nlp", f"import socket; socket.socket({kind}); print('opened')")
    assert refused(said), said


@attack(threat="It traces or kills a process of another service", control=OWN_NAMESPACES, file=QUADLETS)
def test_it_cannot_trace_or_kill_a_sibling(pod: PodWorld) -> None:
    siblings = [number for number, words in processes_seen(pod, "nlp").items() if container("llm") in words]
    for number in (*siblings, pod.processes()["llm"]):
        assert "ProcessLookupError" in inside(pod, "nlp", f"import os; os.kill({number}, 0)"), number
    assert inside(pod, "nlp", TRACED).split()[0] == "-1"


@attack(
    threat="It talks to systemd, Podman or D-Bus to replace an image or a unit",
    control="No socket of the host is mounted",
    file=QUADLETS,
)
@each_service
def test_it_finds_no_socket_of_the_host(pod: PodWorld, service: str) -> None:
    look = (
        "import os; print([p for p in ('/run/podman/podman.sock', '/run/user', '/run/systemd/private', "
        "'/run/dbus/system_bus_socket', '/var/run/docker.sock') if os.path.exists(p)])"
    )
    assert inside(pod, service, look).strip() == "[]"


@attack(threat="It becomes root by a program with the setuid bit", control="No new privileges", file=QUADLETS)
@each_service
def test_no_program_gives_it_more_rights(pod: PodWorld, service: str) -> None:
    status = inside(pod, service, "print(open('/proc/self/status').read())")
    assert "NoNewPrivs:\t1" in status
    assert "CapBnd:\t0000000000000000" in status


@attack(
    threat="It fills the disk through its folder in memory",
    control="That folder has a limit, and counts as its memory",
    file=TABLE,
)
def test_it_cannot_fill_the_disk_of_the_host_by_its_tmp(pod: PodWorld) -> None:
    podman_5_only(pod, "no folder in memory")
    assert "tmpfs" in inside(pod, "nlp", "print([l for l in open('/proc/mounts') if l.split()[1] == '/tmp'])")


@attack(
    threat="A fork bomb",
    control="`PidsLimit=` and the limit of memory of each container, where the host delegates them",
    file=QUADLETS,
)
def test_a_fork_bomb_ends_at_a_limit_and_harms_no_other_service(pod: PodWorld) -> None:
    podman_5_only(pod, "no limit of processes")
    limit = inside(pod, "nlp", "print(open('/sys/fs/cgroup/pids.max').read())").strip()
    if "FileNotFoundError" in limit:
        pytest.skip(
            "this host delegates no limit of processes; `./scripts/setup.sh --check` says how to have it"
        )
    children = int(inside(pod, "nlp", FORK_BOMB).split()[0])
    assert children < int(limit)
