"""Keeps one host, as root: boots it, boots it again when it asks, and removes all of it in the end.

The end is that whoever started the keeper closes its standard input, which also happens when that one is killed.
Killed itself, it takes the host along; what else is left is removed before the next host boots.
"""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tests.hosts import cgroups, emulator, register
from tests.hosts.building import alone, home, keep_home, root_of, write
from tests.hosts.network import Network
from tests.hosts.recipes import CACHE, HOSTS, HostRecipe, VmRecipe
from tests.hosts.requirements import DEVICES, SYSTEM_PATH

NSPAWN_BOOTS_AGAIN = 133
# The default of `deploy.sh start`.
START_LIMIT_S = 300
KEYS = "/etc/ssh/authorized_keys"
SETTINGS = {
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
    "SYSTEMD_SECCOMP": "0",
    # netavark writes sysctls; `yes` would let udevd loose on this machine's devices.
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
}
# systemd does not end with the nspawn that started it, but a process namespace ends with its first process, and
# what is mounted in a mount namespace goes with it.
TOGETHER = ("unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")
RESOLVERS = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))


@dataclass(frozen=True)
class Order:
    """What whoever starts a keeper wants: a host, who may log in, what it trusts, and the name of a kept home."""

    recipe: str
    public_key: str
    ca_bundle: str = ""
    environment: str = ""
    home: str = ""


def keep(order: Order) -> None:
    """Run a host until standard input ends. Says on standard output, a line of JSON each, when it boots."""
    for name in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(name, lambda *_: sys.exit(1))
    machine = f"as{os.getpid()}"
    run_folder = CACHE / "runs" / machine
    entry = register.enter(machine, run_folder)
    try:
        _prepare(order, entry.network, run_folder)
        with (run_folder / "console").open("wb") as console:
            _boot_until_told(HOSTS[order.recipe], entry.network, run_folder, console)
    finally:
        register.leave(entry)


def _prepare(order: Order, network: Network, run_folder: Path) -> None:
    """What this host has of its own, on top of the root that all of its kind share and none changes."""
    root = run_folder / "changes"
    for name in ("changes", "work", "root"):
        (run_folder / name).mkdir(parents=True)
    recipe = HOSTS[order.recipe]
    write(root / "etc/hostname", f"{order.recipe}\n")
    write(root / "etc/hosts", f"127.0.0.1 localhost {order.recipe}\n::1 localhost\n")
    # Its name sorts before systemd's own 80-container-host0.network.
    write(root / "etc/systemd/network/10-host0.network", network.inside())
    write(root / "etc/resolv.conf", _resolver())
    write(root / "etc/environment", order.environment + _patience(recipe))
    write(root / "etc/ssh/sshd_config.d/keys.conf", f"AuthorizedKeysFile {KEYS}\n")
    write(root / KEYS.removeprefix("/"), order.public_key)
    make_key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{root}/etc/ssh/ssh_host_ed25519_key"]
    subprocess.run(make_key, check=True)
    if order.ca_bundle:
        write(root / "etc/ssl/certs/ca-certificates.crt", Path(order.ca_bundle).read_text(encoding="utf-8"))
    if not (isinstance(recipe, VmRecipe) or cgroups.delegates_pids()):
        # Podman sets a limit by default, and cannot where the controller is not ours.
        write(root / "etc/containers/containers.conf", "[containers]\npids_limit=0\n")
    if isinstance(recipe, VmRecipe):
        emulator.spare_work_at_boot(recipe, root)
    begins_as = home(order.home) if order.home else root_of(recipe) / "home"
    with alone():
        if isinstance(recipe, VmRecipe):
            emulator.make_disk(recipe, begins_as, run_folder)
        else:
            # Not on an overlay: Podman's own overlays need a real file system below them.
            subprocess.run(["cp", "--archive", str(begins_as), f"{run_folder}/home"], check=True)
            _make_devices(run_folder / "devices")


def _resolver() -> str:
    """The name servers of this machine; one on its loopback address cannot be reached from a host."""
    for file in RESOLVERS:
        if file.exists():
            text = file.read_text(encoding="utf-8")
            servers = [line.split()[1] for line in text.splitlines() if line.startswith("nameserver ")]
            if usable := [server for server in servers if not server.startswith(("127.", "::1"))]:
                return "".join(f"nameserver {server}\n" for server in usable)
    raise RuntimeError("no name server that a host can reach; put one into /etc/resolv.conf")


def _boot_until_told(recipe: HostRecipe, network: Network, run_folder: Path, console: BinaryIO) -> None:
    boots = 0
    while True:
        with _started(_command(recipe, network.machine, run_folder), network.machine, console) as process:
            try:
                _plug_in(process, network)
                boots += 1
                _tell(
                    boots=boots,
                    address=network.host_address,
                    our_address=network.our_address,
                    slowness=_slowness(recipe),
                )
                if _told_to_stop(process, run_folder):
                    return
            finally:
                process.kill()  # the host is thrown away: no orderly shutdown
        if process.returncode != _asked_to_boot_again(recipe):
            said = "\n".join(Path(console.name).read_text(errors="replace").splitlines()[-30:])
            raise RuntimeError(f"the host ended by itself, status {process.returncode}; its console:\n{said}")


def _command(recipe: HostRecipe, machine: str, run_folder: Path) -> list[str]:
    if isinstance(recipe, VmRecipe):
        return emulator.command(recipe, machine, run_folder)
    layers = f"lowerdir={root_of(recipe)},upperdir={run_folder}/changes,workdir={run_folder}/work"
    root = f"{run_folder}/root"
    return [
        "sh", "-c", 'mount -t overlay -o "$0" overlay "$1" && shift && exec "$@"', layers, root,
        "systemd-nspawn", f"--directory={root}", f"--bind={run_folder}/home:/home", "--boot",
        f"--machine={machine}", "--register=no", "--keep-unit",
        # A network of its own: see network.py.
        "--network-veth", "--resolv-conf=off", "--capability=all", "--private-users=no",
        *(f"--bind={run_folder}/devices{device}:{device}" for device in DEVICES),
        "--system-call-filter=add_key keyctl bpf perf_event_open",
    ]  # fmt: skip


def _make_devices(folder: Path) -> None:
    """Nodes of its own: those of the machine may be root's alone, and their modes are not ours to change."""
    for device in DEVICES:
        node = folder / device.removeprefix("/")
        node.parent.mkdir(parents=True, exist_ok=True)
        os.mknod(node, stat.S_IFCHR, Path(device).stat().st_rdev)
        node.chmod(0o666)


def _patience(recipe: HostRecipe) -> str:
    """A variable for `deploy.sh start`, where it takes longer than on any user's machine."""
    slowness = _slowness(recipe)
    return f"AI_SEMBLE_START_LIMIT_S={START_LIMIT_S * slowness}\n" if slowness > 1 else ""


def _slowness(recipe: HostRecipe) -> int:
    return emulator.slowness() if isinstance(recipe, VmRecipe) else 1


def _asked_to_boot_again(recipe: HostRecipe) -> int:
    """The status with which a host ends that wants to boot; QEMU tells it from switching off by nothing."""
    return 0 if isinstance(recipe, VmRecipe) else NSPAWN_BOOTS_AGAIN


def _started(command: list[str], machine: str, console: BinaryIO) -> subprocess.Popen[bytes]:
    command = [*TOGETHER, *command]
    groups: list[Path] = []
    if cgroups.systemd_is_here():
        command = [*cgroups.scope(machine), *command]
    else:
        groups = cgroups.make(machine)
    return subprocess.Popen(
        ["setpriv", "--pdeathsig=KILL", *command],
        env={"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", **SETTINGS},
        stdin=subprocess.DEVNULL,
        stdout=console,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: cgroups.enter(groups),  # noqa: PLW1509 - the keeper has one thread
        start_new_session=True,
    )


def _plug_in(process: subprocess.Popen[bytes], network: Network) -> None:
    deadline = time.monotonic() + 60
    while network.cable_index() is None:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the host did not start")
        time.sleep(0.05)
    network.plug_in()


def _told_to_stop(process: subprocess.Popen[bytes], run_folder: Path) -> bool:
    """Wait until standard input or the host ends; whether it was the former. A line in between names a home to keep."""
    while process.poll() is None:
        readable, _, _ = select.select([sys.stdin], [], [], 0.2)
        if readable:
            line = os.read(sys.stdin.fileno(), 1024)
            if not line:
                return True
            _keep(run_folder / "home", line.decode().strip())
    return False


def _keep(folder: Path, name: str) -> None:
    """The host goes on also where there is no room for a copy."""
    try:
        keep_home(folder, name)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{name} could not be kept: {error}", file=sys.stderr)
    _tell(kept=home(name).exists())


def _tell(**facts: object) -> None:
    print(json.dumps(facts), flush=True)
