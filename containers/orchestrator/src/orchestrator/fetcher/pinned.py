"""One HTTP exchange whose connection can go to the given addresses only."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address

from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

from orchestrator.fetcher.addresses import Address
from orchestrator.fetcher.errors import UrlNotAllowed
from orchestrator.fetcher.urls import Target


@asynccontextmanager
async def open_pinned(
    target: Target,
    addresses: Sequence[Address],
    headers: Mapping[str, str],
    tls: ssl.SSLContext | None,
    method: str = "GET",
    body: bytes | None = None,
) -> AsyncIterator[ClientResponse]:
    """Ask the target. `Host` and the TLS name are the URL's own; redirects are not followed."""
    connector = TCPConnector(
        resolver=_Pinned(addresses),
        socket_factory=_sockets_to(addresses),
        use_dns_cache=False,
        force_close=True,
    )
    async with (
        ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            timeout=ClientTimeout(total=None),
            trust_env=False,
        ) as session,
        session.request(
            method,
            target.url,
            headers=headers,
            data=body,
            allow_redirects=False,
            ssl=tls if tls is not None else True,
        ) as response,
    ):
        yield response


class _Pinned(AbstractResolver):
    """Resolves any name to the addresses that were checked."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - the addresses are given
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """There is nothing to close."""


def _sockets_to(addresses: Sequence[Address]):  # type: ignore[no-untyped-def]
    """Makes sockets, and refuses any other address: the last word, whatever the layers above believed."""

    def make(info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, sockaddr = info
        if ip_address(str(sockaddr[0]).partition("%")[0]) not in addresses:
            raise UrlNotAllowed(f"{sockaddr[0]} was not checked")
        return socket.socket(family, kind, protocol)

    return make
