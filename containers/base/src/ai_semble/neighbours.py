"""Keeps the other containers of a network away from the public API, which none of them has to ask for anything.

What comes in by a published port is handed over inside the container, where health checks are made, too: it comes from
loopback, or from the very address that it goes to. A forwarder that shows who calls shows an address of elsewhere.
Who comes from a network that this container is on is another container.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

import psutil

from ai_semble.config import Config, UpstreamConfig
from ai_semble.listening import is_in_our_image, is_loopback
from ai_semble.topology import ORCHESTRATOR, UPSTREAMS

Address = IPv4Address | IPv6Address
Interfaces = Iterable[tuple[Address, Address]]
TurnsAway = Callable[[str, str], bool]


def whom_to_turn_away(config: Config, service: str) -> TurnsAway:
    """What decides by the two addresses of a connection, the peer's and ours, whether it is closed unheard."""
    sections = (config.section_of(name) for name in UPSTREAMS)
    are_apart = any(isinstance(one, UpstreamConfig) and not is_loopback(one.address) for one in sections)
    return is_neighbour if service == ORCHESTRATOR.name and are_apart and is_in_our_image() else nobody


def nobody(_peer: str, _here: str) -> bool:
    """Where all containers share an address, the ports that are published decide."""
    return False


def is_neighbour(peer: str, here: str, interfaces: Callable[[], Interfaces] | None = None) -> bool:
    """Whether a connection comes from a network that we are on, and not from ourselves; also when that is not known."""
    if peer == here:
        return False
    try:
        address = _address(peer)
        return not address.is_loopback and any(
            _share(address, own, mask) for own, mask in (interfaces or own_interfaces)()
        )
    except (OSError, ValueError):
        return True


def own_interfaces() -> Interfaces:
    """Each address of this network namespace, with the mask of its network. Raises OSError."""
    for interface in psutil.net_if_addrs().values():
        for item in interface:
            if item.family.name in ("AF_INET", "AF_INET6") and item.netmask:
                yield _address(item.address), ip_address(item.netmask)


def _share(address: Address, own: Address, mask: Address) -> bool:
    return address.version == own.version and not (int(address) ^ int(own)) & int(mask)


def _address(text: str) -> Address:
    address = ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address
