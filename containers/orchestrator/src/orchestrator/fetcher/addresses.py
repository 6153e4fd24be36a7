"""Which addresses are public. Everything that is not plainly so is refused, with the reason in words.

The tables follow IANA's registries of special-purpose addresses (RFC 6890 and its updates); `ipaddress`
itself knows other sets in each Python version.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import psutil

Address = IPv4Address | IPv6Address

_NOT_PUBLIC_V4 = {
    "0.0.0.0/8": "an unspecified",
    "10.0.0.0/8": "a private",
    "100.64.0.0/10": "a carrier's private",
    "127.0.0.0/8": "a loopback",
    "168.63.129.16/32": "a cloud metadata",
    "169.254.0.0/16": "a link-local or metadata",
    "172.16.0.0/12": "a private",
    "192.0.0.0/24": "a protocol",
    "192.0.2.0/24": "a documentation",
    "192.88.99.0/24": "a 6to4 relay",
    "192.168.0.0/16": "a private",
    "198.18.0.0/15": "a benchmarking",
    "198.51.100.0/24": "a documentation",
    "203.0.113.0/24": "a documentation",
    "224.0.0.0/4": "a multicast",
    "240.0.0.0/4": "a reserved",
}
_NOT_PUBLIC_V6 = {
    "::/128": "an unspecified",
    "::1/128": "a loopback",
    "::/96": "an IPv4-compatible",
    "::ffff:0:0:0/96": "an IPv4-translated",
    "64:ff9b:1::/48": "a local translation",
    "100::/64": "a discard",
    "2001::/32": "a Teredo",
    "2001::/23": "a protocol",
    "2001:db8::/32": "a documentation",
    "2002::/16": "a 6to4",
    "3fff::/20": "a documentation",
    "fc00::/7": "a private",
    "fe80::/10": "a link-local",
    "fec0::/10": "a site-local",
    "ff00::/8": "a multicast",
}
_V4 = tuple((IPv4Network(text), kind) for text, kind in _NOT_PUBLIC_V4.items())
_V6 = tuple((IPv6Network(text), kind) for text, kind in _NOT_PUBLIC_V6.items())
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


def refusal(address: Address, own: Iterable[Address] = ()) -> str | None:
    """Why an address may not be reached (`a private address`); None when it is public.

    `own` are this machine's addresses: what listens there may trust the machine that it runs on. In a pod they are the
    container's, and of its host the private ones alone are refused (security/README.md, "What is not there").
    """
    if kind := _kind_v4(address) if isinstance(address, IPv4Address) else _kind_v6(address):
        return f"{kind} address"
    return "an address of this machine" if address in own else None


def own_addresses() -> frozenset[Address]:
    """The addresses of this machine's network interfaces."""
    found = set()
    for interface in psutil.net_if_addrs().values():
        for item in interface:
            if item.family.name in ("AF_INET", "AF_INET6"):
                found.add(ip_address(item.address.partition("%")[0]))
    return frozenset(found)


def _kind_v4(address: IPv4Address) -> str | None:
    return next((kind for network, kind in _V4 if address in network), None)


def _kind_v6(address: IPv6Address) -> str | None:
    if (inner := _embedded(address)) is not None:
        kind = _kind_v4(inner)
        return f"{kind} IPv4 address inside an IPv6" if kind else None
    if kind := next((kind for network, kind in _V6 if address in network), None):
        return kind
    return None if address in _GLOBAL_UNICAST else "a reserved"


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a gateway or the kernel would really talk to."""
    low = int(address) & 0xFFFFFFFF
    if address.ipv4_mapped is not None or address in _NAT64:
        return IPv4Address(low)
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(low)
    return None
