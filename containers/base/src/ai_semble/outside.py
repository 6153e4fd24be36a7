"""The door for other machines: what came through it is marked, and what a trusted proxy says of it is believed.

`orchestrator.access` asks whoever came from outside for a key, whatever `access.required` says.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ai_semble.config import ExposeConfig

_MARK = "ai_semble.outside"
_FOR, _PROTO, _HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"
# What proxies add. Behind one, a caller on loopback may be anybody.
_FORWARDED = frozenset((_FOR, _PROTO, _HOST, b"forwarded", b"x-real-ip", b"via"))
# A day: it holds for every port of the name, and another program there may know no TLS.
_HSTS = (b"strict-transport-security", b"max-age=86400")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """Whose word is taken: `expose.trusted_proxies`.

    In a pod, Podman shows its own address instead of the proxy's; so there `local` is everybody who comes, since only
    this machine reaches a door on loopback.
    """

    def __init__(self, expose: ExposeConfig, *, in_pod: bool) -> None:
        self._networks = tuple(one for one in expose.trusted_proxies if one != "local")
        self._local = "local" in expose.trusted_proxies
        self._in_pod = in_pod

    def lead_here(self, peer: str) -> bool:
        """Whether a proxy of ours has made this connection."""
        address = _address(peer)
        if address is None:
            return False
        return (self._local and (self._in_pod or address.is_loopback)) or self.have(address)

    def have(self, address: Address) -> bool:
        """Whether one has this address. Of `local` none is known: who says it came from this machine is a client."""
        return any(address in network for network in self._networks)


def is_from_outside(scope: Scope) -> bool:
    """Whether a request came through the outer door, or through a proxy that leads to the inner one."""
    return _MARK in scope or not _FORWARDED.isdisjoint([name for name, _ in scope["headers"]])


class OutsideDoor:
    """The outermost layer of what came from outside."""

    def __init__(self, app: ASGIApp, proxies: Proxies) -> None:
        self.app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope[_MARK] = True
        if scope["client"] and self._proxies.lead_here(scope["client"][0]):
            believe(scope, self._proxies)
        is_safe = scope["scheme"] == "https"

        async def send_with_hsts(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _HSTS]
            await send(message)

        await self.app(scope, receive, send_with_hsts if is_safe else send)


def believe(scope: Scope, proxies: Proxies) -> None:
    """Take client, scheme and host of a request as the proxy in front of us says."""
    told = {name: list(_words(scope["headers"], name)) for name in (_FOR, _PROTO, _HOST)}
    scope["client"] = (client_behind(scope["client"][0], told[_FOR], proxies), 0)
    if told[_PROTO] and told[_PROTO][-1] in ("http", "https"):
        scope["scheme"] = told[_PROTO][-1]
    if told[_HOST]:
        others = [item for item in scope["headers"] if item[0] != b"host"]
        scope["headers"] = [(b"host", told[_HOST][-1].encode("latin-1")), *others]


def client_behind(peer: str, told: Sequence[str], proxies: Proxies) -> str:
    """The last address of the way that no trusted proxy has: what stands before it, anybody can have written.

    Something that is no address ends the way as well.
    """
    client, is_proxy = peer, proxies.lead_here(peer)
    for hop in reversed(told):
        address = _address(hop)
        if not is_proxy or address is None:
            break
        client, is_proxy = str(address), proxies.have(address)
    return client


def _words(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> Iterable[str]:
    for name, value in headers:
        if name == wanted:
            yield from (word.strip() for word in value.decode("latin-1").split(","))


def _address(word: str) -> Address | None:
    """Of `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` or `[2001:db8::1]:4711`."""
    bare = word.partition("]")[0].removeprefix("[") if word.startswith("[") else word
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
