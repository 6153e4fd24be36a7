"""Fetches a URL that somebody else wrote, without being led anywhere that they could not go themselves.

The name is resolved once, every address is checked, and the connection goes to one of those very addresses,
so that a name that changes its mind in between (DNS rebinding) changes nothing. Each redirect starts anew.
Proxies of the environment are not used: through one, nobody here would know which address was reached.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address

from aiohttp import ClientError, ClientResponse
from yarl import URL

from ai_semble import __version__
from ai_semble.config import FetchConfig
from ai_semble.errors import AiSembleError, Overloaded
from ai_semble.logs import get_logger
from ai_semble.metrics import Metrics
from orchestrator.fetcher.addresses import Address, own_addresses, refusal
from orchestrator.fetcher.decoding import bounded, decoded
from orchestrator.fetcher.errors import UrlFetchFailed, UrlNotAllowed, UrlTimeout, UrlTooLarge, UrlWrongType
from orchestrator.fetcher.pinned import open_pinned
from orchestrator.fetcher.urls import Target, read_url

log = get_logger(__name__)
_AGENT = f"ai-semble/{__version__}"
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Fetched:
    """A file on its way: its declared type (lower case, without parameters) and its bytes, decoded."""

    content_type: str
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True)
class Reply:
    """What a host answered; the bytes are still on their way, decoded."""

    status: int
    content_type: str
    chunks: AsyncIterator[bytes]


class Fetcher:
    """The one fetcher of an orchestrator."""

    def __init__(
        self,
        config: FetchConfig,
        metrics: Metrics,
        tls: ssl.SSLContext | None = None,
        *,
        egress: bool = True,
    ) -> None:
        """`tls` says whose certificates are trusted; by default those that the system trusts. Without `egress`
        nothing is fetched.
        """
        self._config = config
        self._egress = egress
        self._tls = tls
        self._exempt = frozenset(host.lower() for host in config.allowed_private_hosts)
        self._running = 0
        self._fetches = metrics.counter("ai_semble_fetches", "URLs fetched.", ["outcome"])

    @asynccontextmanager
    async def open(self, url: str, types: Sequence[str]) -> AsyncIterator[Fetched]:
        """The file at a URL; its declared type must begin with one of `types`.

        Raises InvalidUrl, UrlNotAllowed, UrlFetchFailed, UrlTimeout, UrlTooLarge, UrlWrongType, Overloaded;
        the chunks raise them too.
        """
        with self._place():
            async with AsyncExitStack() as stack:
                yield await self._open(url, types, stack)

    @asynccontextmanager
    async def call(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> AsyncIterator[Reply]:
        """One exchange with a host, under the same rules; redirects are not followed. Raises as `open` does."""
        with self._place():
            deadline = asyncio.get_running_loop().time() + self._config.timeout_s
            target = read_url(url, self._config.allowed_ports, self._exempt)
            sent = {"User-Agent": _AGENT, **headers, "Accept-Encoding": "identity"}
            async with AsyncExitStack() as stack:
                response = await self._ask(target, sent, deadline, stack, method, body)
                limit = self._config.max_bytes
                raw = bounded(self._chunks(response, deadline), limit)
                chunks = bounded(decoded(raw, response.headers.get("Content-Encoding", "")), limit)
                yield Reply(response.status, _kind(response), chunks)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the places that there are, counted with what came of it."""
        if not self._egress:
            raise UrlNotAllowed(
                "This environment reaches no other machine",
                hint="Send the bytes themselves; with `network.egress` = `guarded` public addresses are fetched.",
            )
        if self._running >= self._config.max_parallel:
            raise Overloaded(f"{self._running} URLs are being fetched already", retry_after=2)
        self._running += 1
        outcome = "ok"
        try:
            yield
        except AiSembleError as error:
            outcome = error.code
            raise
        finally:
            self._running -= 1
            self._fetches.labels(outcome).inc()

    async def _open(self, text: str, types: Sequence[str], stack: AsyncExitStack) -> Fetched:
        """Follow the redirects to the file; `stack` keeps the last connection."""
        deadline = asyncio.get_running_loop().time() + self._config.timeout_s
        url = text
        for _ in range(self._config.max_redirects + 1):
            target = read_url(url, self._config.allowed_ports, self._exempt)
            async with AsyncExitStack() as hop:
                response = await self._ask(target, _headers(types), deadline, hop)
                if response.status not in _REDIRECTS:
                    stack.push_async_exit(hop.pop_all())
                    return self._receive(response, types, deadline)
                url = _next_url(target.url, response)
        raise UrlFetchFailed(f"There are more than {self._config.max_redirects} redirects")

    async def _ask(
        self,
        target: Target,
        headers: Mapping[str, str],
        deadline: float,
        hop: AsyncExitStack,
        method: str = "GET",
        body: bytes | None = None,
    ) -> ClientResponse:
        try:
            async with asyncio.timeout_at(deadline):
                addresses = await self._resolve(target)
                asked = open_pinned(target, addresses, headers, self._tls, method, body)
                return await hop.enter_async_context(asked)
        except TimeoutError as error:
            raise self._timeout() from error
        except (ClientError, OSError) as error:
            raise UrlFetchFailed(f"{target.host} could not be asked: {error}") from error

    async def _resolve(self, target: Target) -> Sequence[Address]:
        """Every address of the host, all of them checked; raises UrlNotAllowed when one is not public."""
        if target.literal is not None:
            addresses = [target.literal]
        else:
            addresses = await _look_up(target.host, target.port)
        if not target.exempt:
            own = own_addresses()
            for address in addresses:
                if reason := refusal(address, own):
                    log.warning("url_refused", host=target.host, reason=reason)
                    raise UrlNotAllowed(f"{target.host} is {reason}")
        return addresses

    def _receive(self, response: ClientResponse, types: Sequence[str], deadline: float) -> Fetched:
        if response.status != 200:
            raise UrlFetchFailed(f"The server answered {response.status}")
        kind = _kind(response)
        if not kind.startswith(tuple(types)):
            raise UrlWrongType(f"The server says that it is `{kind[:100]}`")
        limit = self._config.max_bytes
        if (response.content_length or 0) > limit:
            raise UrlTooLarge(f"The file has {response.content_length} bytes; at most {limit} are fetched")
        raw = bounded(self._chunks(response, deadline), limit)
        return Fetched(kind, bounded(decoded(raw, response.headers.get("Content-Encoding", "")), limit))

    async def _chunks(self, response: ClientResponse, deadline: float) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    chunk = await response.content.readany()
            except TimeoutError as error:
                raise self._timeout() from error
            except ClientError as error:
                raise UrlFetchFailed(f"The server broke off: {error}") from error
            if not chunk:
                return
            yield chunk

    def _timeout(self) -> UrlTimeout:
        return UrlTimeout(f"It took longer than {self._config.timeout_s:g} s")


def _headers(types: Sequence[str]) -> dict[str, str]:
    return {
        "User-Agent": _AGENT,
        "Accept": ", ".join(f"{kind}*" if kind.endswith("/") else kind for kind in types),
        "Accept-Encoding": "identity",
    }


def _kind(response: ClientResponse) -> str:
    """The declared type, in lower case and without parameters."""
    kind = response.headers.get("Content-Type", "application/octet-stream")
    return kind.partition(";")[0].strip().lower()


async def _look_up(host: str, port: int) -> list[Address]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UrlFetchFailed(f"The name {host} could not be resolved") from error
    # Without its scope (`%eth0`), which no public address has.
    addresses = [ip_address(str(item[4][0]).partition("%")[0]) for item in found]
    return list(dict.fromkeys(addresses))


def _next_url(url: URL, response: ClientResponse) -> str:
    location = response.headers.get("Location", "")
    if not location:
        raise UrlFetchFailed(f"The server answered {response.status} without saying where to")
    try:
        return str(url.join(URL(location)))
    except ValueError as error:
        raise UrlFetchFailed("The server redirects to something that is not a URL") from error
