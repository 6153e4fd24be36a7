"""install-security.sh on a host, in a copy of its own, whether or not Ai-semble is set up there."""

from __future__ import annotations

import io
import subprocess
import tarfile

from ai_semble.render.variants import EXPOSED_PORT
from tests.hosts.host import Host
from tests.hosts.recipes import CHECKOUT

FOLDER = "secured"
SCRIPT = f"./{FOLDER}/scripts/install-security.sh"
PROFILES = "/etc/containers/seccomp"
PORT = EXPOSED_PORT


def put_scripts(host: Host) -> None:
    """What the script needs of the checkout, as it is now."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("scripts", "security"):
            tar.add(CHECKOUT / name, name)
    host.run(f"mkdir {FOLDER} && tar --extract --no-same-owner -C {FOLDER}", input=packed.getvalue())


def secure(host: Host, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """What its user types, with sudo."""
    return host.run(f"sudo {SCRIPT} {' '.join(words)}", check=check)


def status(host: Host, user: str = "ai", sudo: str = "") -> dict[str, str]:
    """What --status says of each layer."""
    said = host.run(f"{sudo} {SCRIPT} --status --user {user}", check=False).stdout
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in said.splitlines()}
