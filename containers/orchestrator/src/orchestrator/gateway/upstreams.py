"""Sends calls to the services, bounded and with every failure named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache, partial
from types import TracebackType
from typing import Self

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)
from yarl import URL

from ai_semble.config import Config
from ai_semble.context import REQUEST_ID_HEADER, request_id
from ai_semble.errors import AiSembleError, BadGateway, DeadlineExceeded, Overloaded, ServiceUnavailable
from ai_semble.logs import get_logger
from ai_semble.metrics import Metrics
from ai_semble.topology import UPSTREAMS
from orchestrator.gateway.calls import Body, Call, Headers, Reply
from orchestrator.gateway.headers import to_client
from orchestrator.gateway.upload import Upload

log = get_logger(__name__)
# Shorter than the services keep an idle connection, so that none is used at the moment it is closed.
KEEP_ALIVE_S = 30
_RETRY_AFTER_S = 2
_NO_AUTOMATIC_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class Upstream:
    """One service behind the gateway: where it is, and how many calls it has."""

    def __init__(self, name: str, origin: str, limit: int) -> None:
        self.name = name
        self.origin = origin
        self.limit = limit
        self.in_flight = 0

    def enter(self) -> None:
        if self.in_flight >= self.limit:
            raise Overloaded(f"{self.name} has {self.limit} calls already", retry_after=1)
        self.in_flight += 1

    def leave(self) -> None:
        self.in_flight -= 1


class Upstreams:
    """The connections to all services; `async with` opens and closes them."""

    def __init__(self, config: Config, metrics: Metrics, token: str | None = None) -> None:
        limits = config.orchestrator
        self.services = {
            name: Upstream(name, origin, limits.in_flight) for name, origin in origins(config).items()
        }
        self._silence_s = limits.answer_timeout_s
        self._connect_s = limits.connect_timeout_s
        self._credentials: Headers = (("authorization", f"Bearer {token}"),) if token else ()
        self._failures = metrics.counter(
            "ai_semble_gateway_failures", "Calls that a service did not answer.", ["upstream", "code"]
        )
        in_flight = metrics.gauge("ai_semble_gateway_in_flight", "Calls a service has now.", ["upstream"])
        for upstream in self.services.values():
            in_flight.labels(upstream.name).set_function(partial(getattr, upstream, "in_flight"))
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = ClientSession(
            # A container that is started again has another address.
            connector=TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S, use_dns_cache=False),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_NO_AUTOMATIC_HEADERS,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, call: Call, body: Body = b"", *, silence_s: float | None = None) -> Reply:
        """Send a call; returns when the head of the answer is there.

        `silence_s` replaces `orchestrator.answer_timeout_s` as the longest silence that is put up with.

        Raises Overloaded (too many calls), ServiceUnavailable (not reached, so nothing was begun), BadGateway
        (broke off before it answered), DeadlineExceeded (was silent for too long), and what the body itself
        raises. Cancelling cuts the connection, upon which the service stops its work.
        """
        upstream = self.services[call.service]
        try:
            upstream.enter()
            try:
                response = await self._exchange(upstream, call, body, silence_s or self._silence_s)
            except BaseException:
                upstream.leave()
                raise
        except AiSembleError as error:
            self._count(upstream, error)
            raise
        return self._reply(upstream, response)

    async def ask(self, service: str, path: str, timeout_s: float) -> bytes:
        """A small GET for the orchestrator itself, outside the limits; raises as `send` does."""
        upstream = self.services[service]
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._request(upstream, Call(service, "GET", path), None, timeout_s)
                async with response:
                    return await response.read()
        except (ClientError, TimeoutError) as error:
            raise explain(service, error) from error

    async def _exchange(self, upstream: Upstream, call: Call, body: Body, silence_s: float) -> ClientResponse:
        if isinstance(body, bytes):
            return await self._request(upstream, call, body or None, silence_s)
        upload = Upload(body, silence_s)
        try:
            async with upload.patience:
                response = await self._request(upstream, call, upload, silence_s)
                upload.head_arrived()
                return response
        except TimeoutError as error:
            raise DeadlineExceeded(f"{upstream.name} stopped reading the request") from error
        except AiSembleError as error:
            # When the body broke off, then that is what happened; the connection only followed.
            raise upload.error or error from None

    async def _request(
        self, upstream: Upstream, call: Call, data: bytes | Upload | None, silence_s: float
    ) -> ClientResponse:
        assert self._session is not None, "open Upstreams with `async with`"  # noqa: S101
        headers = (*call.headers, *self._credentials, (REQUEST_ID_HEADER, request_id()))
        try:
            return await self._session.request(
                call.method,
                _url(upstream.origin + call.target),
                data=data,
                headers=headers,
                allow_redirects=False,
                timeout=_timeouts(self._connect_s, silence_s),
            )
        except (ClientError, TimeoutError) as error:
            raise explain(upstream.name, error) from error

    def _reply(self, upstream: Upstream, response: ClientResponse) -> Reply:
        def close() -> None:
            response.close() if not response.content.at_eof() else response.release()
            upstream.leave()

        return Reply(
            response.status, to_client(response.raw_headers), self._chunks(upstream, response), close
        )

    async def _chunks(self, upstream: Upstream, response: ClientResponse) -> AsyncIterator[bytes]:
        try:
            while chunk := await response.content.readany():
                yield chunk
        except (ClientError, TimeoutError) as error:
            failure = explain(upstream.name, error)
            self._count(upstream, failure)
            raise failure from error

    def _count(self, upstream: Upstream, error: AiSembleError) -> None:
        self._failures.labels(upstream.name, error.code).inc()
        # That a service is busy, or a request bad, is no fault of the platform.
        is_fault = isinstance(error, ServiceUnavailable | BadGateway | DeadlineExceeded)
        say = log.error if is_fault else log.warning
        say("upstream_failed", upstream=upstream.name, code=error.code, detail=error.detail)


def origins(config: Config) -> Mapping[str, str]:
    """Where each service is, as `http://127.0.0.1:8081`."""
    sections = {name: config.section_of(name).model_dump() for name in UPSTREAMS}
    return {name: f"http://{section['address']}:{section['port']}" for name, section in sections.items()}


def explain(service: str, error: Exception) -> AiSembleError:
    """What a failed exchange means to the person who asked."""
    match error:
        case ClientConnectorError() | ConnectionTimeoutError():
            return ServiceUnavailable(f"{service} cannot be reached", retry_after=_RETRY_AFTER_S)
        case TimeoutError():
            return DeadlineExceeded(f"{service} was silent for too long")
        case _:
            return BadGateway(f"{service} broke off: {error or type(error).__name__}")


@lru_cache(maxsize=256)
def _url(text: str) -> URL:
    return URL(text, encoded=True)


@lru_cache(maxsize=8)
def _timeouts(connect_s: float, silence_s: float) -> ClientTimeout:
    return ClientTimeout(total=None, sock_connect=connect_s, sock_read=silence_s)
