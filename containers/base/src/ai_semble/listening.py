"""Where services may listen."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path

from ai_semble.config import Config
from ai_semble.errors import InvalidConfiguration

# Podman puts this file into every container.
CONTAINER_MARK = Path("/run/.containerenv")
# Where our images have their Python environment.
IMAGE_ENVIRONMENT = Path("/opt/ai-semble")


def is_in_our_image() -> bool:
    """Another container (Toolbx, Distrobox) may well share the network of its host."""
    return CONTAINER_MARK.exists() and Path(sys.prefix) == IMAGE_ENVIRONMENT


def refuse_open_address(config: Config, *, in_container: bool = False) -> None:
    """Without keys, nothing but this machine may reach a service.

    A container's own addresses are no one else's: there, the ports that are published decide who reaches it.
    """
    host = config.server.host
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not (local or in_container):
        raise InvalidConfiguration(
            f"server.host is {host}, which others can reach, and there are no keys",
            hint="Listen on 127.0.0.1 and put a reverse proxy that authenticates in front.",
        )
