"""Where services may listen."""

from __future__ import annotations

import ipaddress
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from ai_semble.config import Config
from ai_semble.errors import InvalidConfiguration
from ai_semble.topology import ORCHESTRATOR

# Podman puts this file into every container.
CONTAINER_MARK = Path("/run/.containerenv")
# Where our images have their Python environment.
IMAGE_ENVIRONMENT = Path("/opt/ai-semble")


def is_in_our_image() -> bool:
    """Another container (Toolbx, Distrobox) may well share the network of its host."""
    return CONTAINER_MARK.exists() and Path(sys.prefix) == IMAGE_ENVIRONMENT


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_open_address(config: Config, *, in_container: bool = False) -> None:
    """Nothing but this machine may reach a service; for the API there is `expose.address`. Raises InvalidConfiguration.

    A container's own addresses are no one else's: there, the ports that are published decide who reaches it.
    """
    host = config.server.host
    if not (is_loopback(host) or in_container):
        raise InvalidConfiguration(
            f"server.host is {host}, which others can reach",
            hint="Leave it at 127.0.0.1. For other machines there is expose.address, with API keys and TLS: "
            "docs/howto/expose.md.",
        )


def has_keys(file: Path) -> bool:
    """Whether there is a key that gets somebody in; the orchestrator has written the file."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute(
                "SELECT 1 FROM keys WHERE revoked_at IS NULL AND COALESCE(expires_at, ?1 + 1) > ?1 LIMIT 1",
                (time.time(),),
            )
            return found.fetchone() is not None
    except sqlite3.Error:
        return False


def address_of(config: Config, service: str) -> str:
    """Where a service listens: others than the orchestrator never where more than this machine reaches them.

    In our images they may, since their network is the pod's.
    """
    host = config.server.host
    if service == ORCHESTRATOR.name or is_loopback(host) or is_in_our_image():
        return host
    return "127.0.0.1"
