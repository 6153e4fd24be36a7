"""A host's kernel, processor and disk: QEMU, run from a root of its own, so that this machine's version is no matter.

As root. The processor's own virtualisation is used where it works. Elsewhere, as on a virtual machine that is not
given it, every instruction is emulated, about 15 times slower.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import subprocess
from pathlib import Path
from uuid import uuid4

from tests.hosts.building import emulator_root, label_command, root_of, write
from tests.hosts.recipes import KERNELS, VmRecipe
from tests.hosts.requirements import SYSTEM_PATH

MEMORY, PROCESSORS, DISK = "8G", 2, "24G"
# Without the keyboard's controller; looking for it, an emulated processor sometimes never ends.
HARDWARE = "q35,i8042=off"
# A processor that is emulated has none of the faults whose mitigations make each system call dear, and its clock is
# one for all.
FASTER = "mitigations=off tsc=reliable"
LABEL = "security.selinux"
# linux/kvm.h
KVM_CREATE_VM, KVM_CREATE_VCPU, KVM_RUN = 0xAE01, 0xAE41, 0xAE80

# Of AppArmor's own profiles, those of what runs here; each takes its second to compile.
PROFILES = {"crun", "runc", "slirp4netns", "unix-chkpwd", "usr.bin.passt", "usr.bin.pasta"}


def spare_work_at_boot(recipe: VmRecipe, changes: Path) -> None:
    """Into a host's own changes of its root: what is up to date, and whom there is nothing to confine of."""
    write(changes / "etc/machine-id", f"{uuid4().hex}\n")
    for folder in ("etc", "var"):
        write(changes / folder / ".updated", "")
    # Or each command of root's own would start a manager, and end it.
    manager = changes / "etc/systemd/system/user@0.service"
    manager.parent.mkdir(parents=True, exist_ok=True)
    manager.symlink_to("/dev/null")
    disabled = changes / "etc/apparmor.d/disable"
    disabled.mkdir(parents=True)
    for profile in (root_of(recipe) / "etc/apparmor.d").iterdir():
        if profile.is_file() and profile.name not in PROFILES:
            (disabled / profile.name).symlink_to(f"/etc/apparmor.d/{profile.name}")


def make_disk(recipe: VmRecipe, home: Path, run_folder: Path) -> None:
    """The disk of one host: its kind's root, its own changes, a home, and labels where they are asked for.

    The home is labelled where it lies. Elsewhere labels may not be left over from that: an overlay of a user
    who is not root cannot copy them.
    """
    if recipe.kernel != "selinux":
        forget_labels(home)
    root = run_folder / "root"
    script = f"""
        mount -t overlay -o "lowerdir=$0,upperdir={run_folder}/changes,workdir={run_folder}/work" overlay {root}
        mount --bind {home} {root}/home
        {shlex.join(label_command(root)) if recipe.kernel == "selinux" else ""}
        mkfs.ext4 -q -d {root} {run_folder}/disk {DISK}
    """
    alone = ["unshare", "--mount", "--propagation=private"]
    done = subprocess.run(
        [*alone, "sh", "-e", "-c", script, str(root_of(recipe))],
        env={"PATH": SYSTEM_PATH, "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the disk could not be made:\n{done.stdout}{done.stderr}")


def forget_labels(folder: Path) -> None:
    """Take SELinux's labels off a folder and all that it holds."""
    for path in (folder, *folder.rglob("*")):
        if LABEL in os.listxattr(path, follow_symlinks=False):
            os.removexattr(path, LABEL, follow_symlinks=False)


def command(recipe: VmRecipe, machine: str, run_folder: Path) -> list[str]:
    """What boots the host, in a mount namespace of its own. It ends when the host is switched off or reboots."""
    emulator = emulator_root()
    kernel, initrd = (
        sorted((root_of(recipe) / "boot").glob(f"{name}-*"))[-1] for name in ("vmlinuz", "initrd.img")
    )
    words = [
        "qemu-system-x86_64",
        *("-machine", HARDWARE, *accelerator()),
        *("-cpu", "max", "-smp", str(PROCESSORS), "-m", MEMORY),
        *("-kernel", f"/srv/{kernel.name}", "-initrd", f"/srv/{initrd.name}"),
        *(
            "-append",
            f"root=/dev/vda rw console=ttyS0 net.ifnames=0 panic=-1 loglevel=4 {FASTER} {KERNELS[recipe.kernel]}",
        ),
        *("-drive", "file=/mnt/disk,format=raw,if=virtio,cache=unsafe"),
        *("-netdev", f"tap,id=net,ifname=ve-{machine},script=no,downscript=no"),
        *("-device", "virtio-net-pci,netdev=net,romfile="),
        *("-device", "virtio-rng-pci"),
        *("-display", "none", "-serial", "stdio", "-monitor", "none", "-nodefaults", "-no-reboot"),
    ]
    mounts = f"""
        mount --bind {kernel.parent} {emulator}/srv
        mount --bind {run_folder} {emulator}/mnt
        mount --rbind /dev {emulator}/dev
        exec chroot {emulator} "$@"
    """
    return ["sh", "-e", "-c", mounts, machine, *words]


def accelerator() -> list[str]:
    """KVM where it runs; that there is a device for it does not say so."""
    return ["-accel", "kvm"] if _kvm_runs() else ["-accel", "tcg,thread=multi"]


def slowness() -> int:
    """By how much what takes its time on this machine takes longer there."""
    return 1 if _kvm_runs() else 15


def _kvm_runs() -> bool:
    try:
        device = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    opened = [device]
    try:
        opened.append(fcntl.ioctl(device, KVM_CREATE_VM, 0))
        opened.append(fcntl.ioctl(opened[-1], KVM_CREATE_VCPU, 0))
        fcntl.ioctl(opened[-1], KVM_RUN, 0)  # it has no memory, and stops at the first instruction
    except OSError as error:
        return error.errno == errno.EINTR
    else:
        return True
    finally:
        for number in reversed(opened):
            os.close(number)
