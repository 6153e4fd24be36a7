"""Where services may listen."""

from __future__ import annotations

import ipaddress

from ai_semble.config import Config
from ai_semble.errors import InvalidConfiguration


def refuse_open_address(config: Config) -> None:
    """Without keys, nothing but this machine may reach a service."""
    host = config.server.host
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise InvalidConfiguration(
            f"server.host is {host}, which others can reach, and there are no keys",
            hint="Listen on 127.0.0.1 and put a reverse proxy that authenticates in front.",
        )
