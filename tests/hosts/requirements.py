"""What a machine needs to run hosts; each lack is said with the command that ends it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

# Program, and the Debian package that has it.
PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "setpriv": "util-linux",
    "mkfs.ext4": "e2fsprogs",
    "git": "git",
}
DEVICES = ("/dev/fuse", "/dev/net/tun")
SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class CannotRunHostsError(RuntimeError):
    """This machine cannot run hosts. The text says why and what to do."""


def check() -> None:
    """Raise with everything that is missing."""
    lacks = []
    if missing := sorted({package for name, package in PROGRAMS.items() if not _has(name)}):
        lacks.append(f"missing programs; run: sudo apt-get install {' '.join(missing)}")
    lacks += [
        f"there is no {name}; run: sudo modprobe {Path(name).name}" for name in DEVICES if not _is(name)
    ]
    if os.geteuid() != 0 and not _may_sudo():
        lacks.append("it needs root; run it as root, or allow this user sudo without a password")
    if lacks:
        raise CannotRunHostsError("this machine cannot run test hosts:\n  " + "\n  ".join(lacks))


def as_root(*command: str) -> list[str]:
    """The command line that runs a command as root."""
    return [*command] if os.geteuid() == 0 else ["sudo", "--non-interactive", *command]


def _has(program: str) -> bool:
    return shutil.which(program, path=SYSTEM_PATH) is not None


def _is(device: str) -> bool:
    return Path(device).is_char_device()


def _may_sudo() -> bool:
    if not _has("sudo"):
        return False
    answer = subprocess.run(["sudo", "--non-interactive", "true"], capture_output=True, check=False)
    return answer.returncode == 0
