"""Makes root file systems and keeps them in .hosts, as root. What was interrupted leaves nothing that counts."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hosts.recipes import BASE_IMAGE, CACHE, EMULATOR, HOSTS, RUNNING, HostRecipe, Recipe, VmRecipe
from tests.hosts.requirements import SYSTEM_PATH

USER = "ai"
LINKS = {
    # The user's manager waits for it, up to 90 s, if nothing reaches it.
    "multi-user.target.wants/network-online.target": "/usr/lib/systemd/system/network-online.target",
    "multi-user.target.wants/systemd-networkd.service": "/usr/lib/systemd/system/systemd-networkd.service",
    "systemd-networkd-wait-online.service": "/dev/null",
}


# Where the processor is emulated, each of them takes long; a test that wants the firewall starts it.
NOT_AT_BOOT = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "firewalld.service",
    "fstrim.timer", "netavark-dhcp-proxy.service",
)  # fmt: skip
LABELS = "/etc/selinux/default/contexts/files/file_contexts"
MADE_BY_KERNEL = ("/dev", "/proc", "/run", "/sys")


def root_of(recipe: HostRecipe) -> Path:
    """The finished root of a host."""
    return CACHE / "roots" / recipe.key


def emulator_root() -> Path:
    """The root that QEMU runs in."""
    return CACHE / "roots" / EMULATOR.key


def home(name: str) -> Path:
    """A home folder that was kept for hosts to come, with what its user had installed."""
    return CACHE / "homes" / name


def keep_home(folder: Path, name: str) -> None:
    """Keep a copy of a home folder, and of those that were kept before only the newest: it may be in use."""
    with alone():
        _forget_interrupted()
        for old in sorted((CACHE / "homes").glob("*"), key=lambda path: path.stat().st_mtime)[:-1]:
            remove_tree(old)
        building = CACHE / "building" / name
        building.parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "--archive", str(folder), str(building)], check=True)
        building.touch()
        home(name).parent.mkdir(exist_ok=True)
        building.rename(home(name))


def base_image_file() -> Path:
    """The outside base image, to be imported by Podman."""
    return CACHE / "images" / f"{BASE_IMAGE.key}.tar"


def build(name: str) -> None:
    """Make a host's root, the outside base image and what runs the host, unless they are there."""
    CACHE.mkdir(exist_ok=True)
    with alone():
        _forget_interrupted()
        _made(root_of(HOSTS[name]), lambda target: _build_host(HOSTS[name], target))
        if isinstance(HOSTS[name], VmRecipe):
            _made(emulator_root(), lambda target: _mmdebstrap(EMULATOR, target))
        _made(base_image_file(), lambda target: _mmdebstrap(BASE_IMAGE, target))


def remove_tree(folder: Path) -> None:
    """Delete a root; never through a mount, behind which this machine's own files may lie."""
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    inside = [point for line in mounts if Path(point := line.split()[4]).is_relative_to(folder)]
    if inside:
        raise RuntimeError(f"something is mounted in {folder}; unmount it: {' '.join(inside)}")
    subprocess.run(["rm", "--recursive", "--force", "--one-file-system", str(folder)], check=True)


def label_command(root: Path) -> list[str]:
    """What gives every file of a root the label that its policy wants; one that has it stays untouched.

    It crosses no mounts, and homes may lie behind one.
    """
    excluded = [word for folder in MADE_BY_KERNEL for word in ("-e", folder)]
    return ["chroot", str(root), "setfiles", "-F", *excluded, LABELS, "/", "/home"]


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Put a file into a root, in place of a link too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


@contextmanager
def alone() -> Iterator[None]:
    """Nobody makes or removes a root or a home meanwhile."""
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget_interrupted() -> None:
    """What lies in `building` belongs to nobody: whoever builds holds the lock."""
    for left in (CACHE / "building").glob("*"):
        remove_tree(left)


def _made(target: Path, make: Callable[[Path], None]) -> None:
    if target.exists():
        return
    building = CACHE / "building" / target.name
    building.parent.mkdir(exist_ok=True)
    make(building)
    target.parent.mkdir(exist_ok=True)
    if not any(RUNNING.glob("*.json")):  # a host may run on it
        for old in target.parent.glob(f"{target.name.rpartition('-')[0]}-*"):
            remove_tree(old)  # made of an earlier recipe
    building.rename(target)


def _mmdebstrap(recipe: Recipe, target: Path, *hooks: str) -> None:
    options = ["--variant=minbase", "--skip=output/dev", "--quiet"]
    if recipe.packages:
        options.append(f"--include={','.join(recipe.packages)}")
    options += [f"--customize-hook={hook}" for hook in hooks]
    # Mounts of its own, which go with it, so that nothing of this machine is ever mounted in what gets deleted.
    alone = ["unshare", "--mount", "--propagation=private", "--fork", "--kill-child"]
    source = f"deb {recipe.mirror} {recipe.suite} main"
    command = [*alone, "mmdebstrap", *options, recipe.suite, str(target), source]
    answer = subprocess.run(
        command,
        env={"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", "TMPDIR": os.environ.get("TMPDIR", "/tmp")},  # noqa: S108
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if answer.returncode:
        shown = "\n".join(answer.stdout.splitlines()[-30:])
        raise RuntimeError(f"mmdebstrap failed; is {recipe.mirror} reachable?\n{shown}")


def _build_host(recipe: HostRecipe, root: Path) -> None:
    _mmdebstrap(recipe, root, f'chroot "$1" useradd --create-home --shell /bin/bash {USER}')
    for name in ("dev", "proc", "sys", "run", "tmp"):
        (root / name).mkdir(exist_ok=True)
    write(root / "etc/sudoers.d" / USER, f"{USER} ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    write(root / "var/lib/systemd/linger" / USER, "")
    for name, points_to in LINKS.items():
        link = root / "etc/systemd/system" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(points_to)
    # Each copy is a machine of its own.
    write(root / "etc/machine-id", "uninitialized\n")
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
    if isinstance(recipe, VmRecipe):
        subprocess.run(["systemctl", f"--root={root}", "--quiet", "disable", *NOT_AT_BOOT], check=True)
        subprocess.run(label_command(root), env={"PATH": SYSTEM_PATH}, check=True, capture_output=True)
