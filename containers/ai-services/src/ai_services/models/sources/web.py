"""HTTP as fetching needs it: proxies, the user's certificates and credentials, and no surprises.

Built on the standard library. Proxies come from the usual variables. Credentials (in an address, from
~/.netrc, or given for an origin) are sent to their own origin only and never appear in a message.
"""

from __future__ import annotations

import base64
import http.client
import netrc
import os
import socket
import ssl
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from ai_services.models.errors import SourceUnavailable

USER_AGENT = "ai-semble/2"
CONNECT_TIMEOUT_S = 10.0
SILENCE_TIMEOUT_S = 60.0
TEMPORARY = (408, 425, 429, 500, 502, 503, 504)
PAUSES_S = (0.3, 1.0)
CERTIFICATE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
WHAT_BREAKS = (URLError, http.client.HTTPException, OSError)


@dataclass
class WebClient:
    """One run's connections. A host that cannot be reached is not tried again in the same run."""

    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)
    certificates: tuple[Path, ...] = ()
    authorisations: dict[str, str] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)
    _opener: urllib.request.OpenerDirector | None = None

    def open(
        self, address: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> http.client.HTTPResponse:
        """The response to a request; its body is not read yet.

        Raises HTTPError for a status of 400 and above, SourceUnavailable when the host cannot be reached,
        and URLError or OSError when the connection breaks.
        """
        bare, credentials = split_credentials(address)
        host = origin_of(bare)
        if host in self.unreachable:
            raise SourceUnavailable(self.unreachable[host])
        request = urllib.request.Request(bare, method=method)  # noqa: S310 - origin_of admits http(s) only
        for name, value in {
            "User-Agent": USER_AGENT,
            "Accept-Encoding": "identity",
            **(headers or {}),
        }.items():
            request.add_header(name, value)
        if authorisation := credentials or self._authorisation(bare):
            request.add_unredirected_header("Authorization", authorisation)
        try:
            response: http.client.HTTPResponse = self._director().open(request, timeout=CONNECT_TIMEOUT_S)
        except HTTPError as error:
            error.close()  # its body interests nobody
            raise
        except URLError as error:
            if isinstance(
                error.reason, socket.gaierror | ConnectionRefusedError | TimeoutError | ssl.SSLError
            ):
                self.unreachable[host] = f"{host} cannot be reached: {_reason(error)}"
                raise SourceUnavailable(self.unreachable[host]) from error
            raise
        return response

    def read(
        self, address: str, *, limit: int, headers: Mapping[str, str] | None = None
    ) -> tuple[bytes, Message]:
        """A short document and its headers, asked for again if the server is busy or breaks off.

        Raises like `open`, and SourceUnavailable beyond `limit` bytes.
        """
        for pause in (*PAUSES_S, None):
            try:
                with self.open(address, headers=headers) as response:
                    body = response.read(limit + 1)
                break
            except WHAT_BREAKS as error:
                if pause is None or (isinstance(error, HTTPError) and error.code not in TEMPORARY):
                    raise
                time.sleep(pause)
        if len(body) > limit:
            raise SourceUnavailable(f"{public(address)} answers more than {limit} bytes")
        return body, response.headers

    def _director(self) -> urllib.request.OpenerDirector:
        if self._opener is None:
            context = ssl.create_default_context()
            named = [Path(self.variables[name]) for name in CERTIFICATE_VARIABLES if self.variables.get(name)]
            for path in (*named, *self.certificates):
                if path.is_file():
                    context.load_verify_locations(path)
            self._opener = urllib.request.build_opener(
                _PlainHandler(), _SecureHandler(context=context), _Redirects(self)
            )
        return self._opener

    def _authorisation(self, address: str) -> str | None:
        """What was given for the longest prefix of the address, otherwise ~/.netrc's entry for its host."""
        prefixes = [prefix for prefix in self.authorisations if address.startswith(prefix)]
        if prefixes:
            return self.authorisations[max(prefixes, key=len)]
        try:
            entry = netrc.netrc(self.variables.get("NETRC")).authenticators(urlsplit(address).hostname or "")
        except (OSError, netrc.NetrcParseError):
            return None
        return _basic(entry[0], entry[2]) if entry else None


def split_credentials(address: str) -> tuple[str, str | None]:
    """The address without `user:password@`, and the header that says the same."""
    parts = urlsplit(address)
    if parts.username is None:
        return address, None
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return bare, _basic(unquote(parts.username), unquote(parts.password or ""))


def public(address: str) -> str:
    """The address as it may be shown: without credentials and query (which may hold a signature)."""
    parts = urlsplit(split_credentials(address)[0])
    return urlunsplit(SplitResult(parts.scheme, parts.netloc, parts.path, "", ""))


def origin_of(address: str) -> str:
    """`scheme://host[:port]`; raises SourceUnavailable for anything but http and https."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SourceUnavailable(f"`{public(address)}` is not an address of the web")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def describe(error: BaseException) -> str:
    """Why a request failed, in a few words."""
    if isinstance(error, HTTPError):
        return f"answered {error.code} {error.reason}"
    if isinstance(error, URLError):
        return _reason(error)
    return str(error) or type(error).__name__


def _reason(error: URLError) -> str:
    match error.reason:
        case socket.gaierror():
            return "its name cannot be resolved"
        case ConnectionRefusedError():
            return "connection refused"
        case TimeoutError():
            return "it does not answer"
        case reason:
            return str(reason)


def _basic(user: str, password: str | None) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password or ''}".encode()).decode()


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, with credentials for the new origin only, and never from https to http."""

    def __init__(self, client: WebClient) -> None:
        self._client = client

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise SourceUnavailable(f"{public(req.full_url)} leads to an address that is not encrypted")
        following: Any = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        if following is not None:
            following.method = req.get_method()
            if authorisation := self._client._authorisation(newurl):
                following.add_unredirected_header("Authorization", authorisation)
        return following  # type: ignore[no-any-return]


class _PlainConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(SILENCE_TIMEOUT_S)


class _SecureConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(SILENCE_TIMEOUT_S)


class _PlainHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_PlainConnection, req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._given = context

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, req, context=self._given)
