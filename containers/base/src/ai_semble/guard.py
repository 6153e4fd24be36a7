"""Keeps other web sites out of services that listen on this machine.

A page on any site can make its visitor's browser send requests to 127.0.0.1. Two checks stop that: the Host
header must be a known name (otherwise a name of the attacker's leads here: DNS rebinding), and a browser that
says it acts for another site is refused. Programs that are no browsers send none of these headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ai_semble import problems
from ai_semble.config import Config, ServerConfig, UpstreamConfig
from ai_semble.errors import AiSembleError

_EXPOSED = "X-Request-ID, Location, Retry-After, Preference-Applied"
_METHODS = "GET, POST, PUT, DELETE"
_WATCHED = frozenset((b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest"))
_CACHED_HOSTS = 64
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")


class HostNotAllowed(AiSembleError):
    """The Host header is not one of the names that this environment is known by."""

    code, status, title = "host_not_allowed", 403, "Unknown host name"
    hint = "Use http://localhost:8080, or add the name to `server.allowed_hosts`."


class CrossSiteRefused(AiSembleError):
    """A web page of another site made the browser send this request."""

    code, status, title = "cross_site_refused", 403, "Request from another site"
    hint = "If the site is yours, add its origin (`https://app.example`) to `server.allowed_origins`."


class Guard:
    """Refuses unknown hosts and other sites; answers CORS for `server.allowed_origins` and nobody else."""

    def __init__(
        self, app: ASGIApp, *, server: ServerConfig, service: str, also: frozenset[str] = frozenset()
    ) -> None:
        self.app = app
        self._service = service
        self._names = frozenset(name.lower() for name in server.allowed_hosts) | also
        self._origins = frozenset(origin.lower().rstrip("/").encode() for origin in server.allowed_origins)
        self._known: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        told = _told(scope["headers"])
        self._check_host(told.get(b"host", b""))
        origin = told.get(b"origin")
        if origin is not None and origin.lower() in self._origins:
            await self._answer_origin(origin, scope, receive, send)
            return
        if len(told) > 1:
            _check_site(scope, told)
        await self.app(scope, receive, send)

    def _check_host(self, host: bytes) -> None:
        if host in self._known:
            return
        if host_name(host) not in self._names:
            shown = host.decode("latin-1")[:100]
            raise HostNotAllowed(f"This environment is not known as `{shown}`")
        if len(self._known) < _CACHED_HOSTS:
            self._known.add(host)

    async def _answer_origin(self, origin: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_permission(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = origin.decode("latin-1")
                headers["Access-Control-Expose-Headers"] = _EXPOSED
                headers.add_vary_header("Origin")
            await send(message)

        asked = dict(scope["headers"])
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in asked:
            await _answer_preflight(asked, send_with_permission)
        else:
            await self._pass_on(scope, receive, send_with_permission)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Errors are answered here, since the envelope would do it without the page's permission to read."""
        try:
            await self.app(scope, receive, send)
        except AiSembleError as error:
            await problems.response(error, self._service, scope["path"])(scope, receive, send)


def address_names(config: Config, service: str) -> frozenset[str]:
    """The address that others reach, as a Host header has it: the outer door's, or where the gateway finds a service.

    No name leads to the door's address, so none can be rebound.
    """
    section = config.section_of(service)
    address = section.address if isinstance(section, UpstreamConfig) else config.expose.address
    return frozenset([f"[{address}]" if ":" in address else address.lower()]) if address else frozenset()


def host_name(host: bytes) -> str:
    """The name in a Host header, without its port, in lower case; empty when it is none."""
    found = _HOST.fullmatch(host)
    return found[1].decode().lower() if found else ""


def _told(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """What the caller says of itself. Of a header given twice nobody knows which one counts."""
    told: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _WATCHED:
            if name in told:
                raise HostNotAllowed(f"The header {name.decode()} is there twice", hint="Send it once.")
            told[name] = value
    return told


def _check_site(scope: Scope, told: Mapping[bytes, bytes]) -> None:
    """Refuse a browser that acts for another site; following a link to a page here is harmless."""
    site = told.get(b"sec-fetch-site", b"none")
    origin = told.get(b"origin")
    if origin is not None:
        own = b"://" + told[b"host"].lower()
        if not origin.lower().endswith(own) or origin[: -len(own)].lower() not in (b"http", b"https"):
            raise CrossSiteRefused(f"The request comes from `{origin.decode('latin-1')[:100]}`")
    elif site not in (b"same-origin", b"none") and not _follows_link(scope, told):
        raise CrossSiteRefused("The browser says that another site sent the request")


def _follows_link(scope: Scope, told: Mapping[bytes, bytes]) -> bool:
    return (
        scope["method"] in ("GET", "HEAD")
        and told.get(b"sec-fetch-mode") == b"navigate"
        and told.get(b"sec-fetch-dest") == b"document"
    )


async def _answer_preflight(asked: Mapping[bytes, bytes], send: Send) -> None:
    headers = [
        (b"access-control-allow-methods", _METHODS.encode()),
        (b"access-control-allow-headers", asked.get(b"access-control-request-headers", b"content-type")),
        (b"access-control-max-age", b"600"),
        (b"content-length", b"0"),
    ]
    if b"access-control-request-private-network" in asked:
        headers.append((b"access-control-allow-private-network", b"true"))
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
