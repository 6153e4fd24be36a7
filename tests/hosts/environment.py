"""Ai-semble on a host: set up and started as its user does it."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ai_semble.topology import SERVICES
from tests.hosts.host import Host
from tests.hosts.supplies import CLONE, put_base_image, put_checkout, put_models

CONFIG = ".config/ai-semble/ai-semble.toml"
SETUP_WITHIN_S = 1800
START_WITHIN_S = 300
# Its user's own, for a machine on which a health check takes seconds of all processors.
UNITS = ".config/containers/systemd/ai-semble"
FOR_SLOW_MACHINES = """
[Container]
HealthStartupInterval=150s
HealthStartupTimeout=120s
HealthInterval=1800s
HealthTimeout=120s
[Service]
TimeoutStartSec=1800
"""
PORT = 8080


@dataclass(frozen=True)
class Installed:
    """A host on which `setup.sh` has ended well."""

    host: Host

    def script(
        self, line: str, check: bool = True, timeout: float = START_WITHIN_S
    ) -> subprocess.CompletedProcess[str]:
        """Run a line as typed in the checkout: `./scripts/deploy.sh status`."""
        return self.host.run(f"cd {CLONE} || exit\n{line}", check=check, timeout=timeout)

    def deploy(
        self, *words: str, check: bool = True, timeout: float = START_WITHIN_S
    ) -> subprocess.CompletedProcess[str]:
        """Run a verb of `deploy.sh`."""
        return self.script(shlex.join(["./scripts/deploy.sh", *words]), check=check, timeout=timeout)

    def configure(self, section: str, key: str, value: str) -> None:
        """Set a key in the user's configuration file, whether or not it has it already."""
        before = self.host.run(f"mkdir -p {Path(CONFIG).parent} && cat {CONFIG} 2>/dev/null || true").stdout
        after = with_key(before, section, key, value)
        self.host.run(f"cat > {CONFIG} && chmod 644 {CONFIG}", input=after)


def with_key(text: str, section: str, key: str, value: str) -> str:
    """TOML text with a key set; a line that has it, also as a comment, is replaced."""
    line = f"{key} = {value}"
    header = re.search(rf"^\[{re.escape(section)}\][^\n]*\n", text, re.MULTILINE)
    if not header:
        return f"{text.rstrip()}\n\n[{section}]\n{line}\n".lstrip()
    following = re.search(r"^\[", text[header.end() :], re.MULTILINE)
    end = header.end() + following.start() if following else len(text)
    inside = re.sub(rf"^(# *)?{re.escape(key)} *=[^\n]*\n", "", text[header.end() : end], flags=re.MULTILINE)
    return f"{text[: header.end()]}{line}\n{inside}{text[end:]}"


def install(host: Host) -> Installed:
    """Clone, then `setup.sh`, as on the front page."""
    put_checkout(host)
    put_base_image(host)
    put_models(host)
    host.run(f"cd {CLONE} && ./scripts/setup.sh", timeout=SETUP_WITHIN_S)
    return Installed(host)


def adapt(host: Host) -> Installed:
    """What depends on the kernel, where a kept home has all else: the layers that only root can give, then setup."""
    if host.slowness > 1:
        folders = " ".join(f"{UNITS}/ai-semble-{service}.container.d" for service in SERVICES)
        files = " ".join(f"{folder}/50-slow.conf" for folder in folders.split())
        host.run(f"mkdir -p {folders} && tee {files} > /dev/null", input=FOR_SLOW_MACHINES)
    secure = "sudo ./scripts/install-security.sh"
    setup = "./scripts/setup.sh --no-images --no-models"
    host.run(f"cd {CLONE} && {secure} && {setup}", timeout=SETUP_WITHIN_S)
    return Installed(host)


@contextmanager
def reachable(host: Host) -> Iterator[str]:
    """The address, on this machine, of the API that listens on the host's own loopback address."""
    with host.ssh.tunnel(PORT, user="ai") as port:
        yield f"http://127.0.0.1:{port}"
