"""What each host is made of."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
CACHE = CHECKOUT / ".hosts"
# A file for each host that runs.
RUNNING = Path("/run/ai-semble-test-hosts")
# A change of how roots are made (building.py) that the recipes do not show.
MAKING = 1

SYSTEM = ("systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "openssh-server", "sudo")
# No Python: the normal path needs none on the host, and a host without any proves it.
TOOLS = ("ca-certificates", "curl", "git", "iproute2", "procps")
PODMAN = (
    "podman", "crun", "netavark", "aardvark-dns", "slirp4netns", "uidmap", "fuse-overlayfs", "catatonit",
    "nftables",
)  # fmt: skip
# For the tests of what needs a kernel of its own; those that build a policy are what its users install, too.
KERNEL = ("linux-image-cloud-amd64", "initramfs-tools")
SECURITY = (
    "apparmor", "apparmor-utils", "auditd", "checkpolicy", "firewalld", "policycoreutils",
    "policycoreutils-python-utils", "selinux-policy-default", "selinux-policy-dev", "semodule-utils",
)  # fmt: skip
# By what confines programs: the options that they are booted with.
KERNELS = {"apparmor": "security=apparmor", "selinux": "security=selinux selinux=1 enforcing=1"}


@dataclass(frozen=True)
class Recipe:
    """A root file system: the packages that mmdebstrap takes from a mirror."""

    name: str
    suite: str
    packages: tuple[str, ...] = ()

    @property
    def mirror(self) -> str:
        return os.environ.get("AI_SEMBLE_TEST_DEBIAN_MIRROR", "http://deb.debian.org/debian")

    @property
    def key(self) -> str:
        """The name of what is made of it; it changes with the recipe."""
        text = json.dumps([MAKING, asdict(self)])
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class HostRecipe(Recipe):
    """A host, and the backend that its Podman calls for."""

    backend: str = ""


@dataclass(frozen=True)
class VmRecipe(HostRecipe):
    """A host with a kernel of its own, in QEMU. Those that differ only in their kernel share a root."""

    kernel: str = ""

    @property
    def key(self) -> str:
        return HostRecipe("vm", self.suite, self.packages).key


HOSTS = {
    recipe.name: recipe
    for recipe in (
        # Podman 5.4
        HostRecipe(
            "debian13", "trixie", (*SYSTEM, *TOOLS, *PODMAN, "passt", "systemd-resolved"), backend="quadlet"
        ),
        # Podman 4.3; its netavark 1.4 calls iptables, and without containers-storage it copies every layer (vfs)
        HostRecipe(
            "debian12",
            "bookworm",
            (*SYSTEM, *TOOLS, *PODMAN, "iptables", "containers-storage"),
            backend="kube",
        ),
        *(
            VmRecipe(
                f"debian13-{kernel}",
                "trixie",
                (*SYSTEM, *TOOLS, *PODMAN, "passt", "systemd-resolved", *KERNEL, *SECURITY),
                backend="quadlet",
                kernel=kernel,
            )
            for kernel in KERNELS
        ),
    )
}
# What runs them: older QEMUs crash where they must emulate the processor.
EMULATOR = Recipe("emulator", "trixie", ("qemu-system-x86",))
# The same packages as docker.io/library/debian:trixie-slim, which cannot be pulled everywhere.
BASE_IMAGE = Recipe("base-image", "trixie")


def host_for(backend: str) -> HostRecipe:
    """The host on which a backend is tested."""
    return next(recipe for recipe in HOSTS.values() if recipe.backend == backend)
