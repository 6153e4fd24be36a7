"""Reads a URL and decides whether it may be fetched, as far as its text tells."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from yarl import URL

from orchestrator.fetcher.addresses import Address
from orchestrator.fetcher.errors import InvalidUrl, UrlNotAllowed

_LONGEST = 8192
_UNWRITABLE = re.compile(r"[\x00-\x20\x7f\\]")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


@dataclass(frozen=True)
class Target:
    """A URL that was read. `literal` is the address when the host is one; `exempt` hosts may be private."""

    url: URL
    host: str
    port: int
    literal: Address | None
    exempt: bool


def read_url(text: str, ports: Collection[int], exempt_hosts: Collection[str]) -> Target:
    """The target of a URL; raises InvalidUrl and UrlNotAllowed."""
    url = _parse(text.strip())
    host = url.raw_host or ""
    if not host:
        raise InvalidUrl("The URL names no host")
    if url.raw_user is not None or url.raw_password is not None:
        raise UrlNotAllowed("The URL has a user name or a password in it", hint="Leave them out.")
    port = url.port or 0
    target = Target(url, host, port, _literal(host), _named(host, port) in exempt_hosts)
    if not target.exempt and port not in ports:
        allowed = ", ".join(str(port) for port in sorted(ports))
        raise UrlNotAllowed(
            f"Port {port} may not be reached",
            hint=f"Ports that may be: {allowed}. A server of your own can be allowed, with its port, in "
            "`fetch.allowed_private_hosts`.",
        )
    return target


def _parse(text: str) -> URL:
    if len(text) > _LONGEST:
        raise InvalidUrl(f"The URL is longer than {_LONGEST} characters")
    if _UNWRITABLE.search(text):
        raise InvalidUrl("The URL has a space, a control character or a backslash in it")
    try:
        url = URL(text)
        scheme, _ = url.scheme, url.port
    except ValueError as error:
        raise InvalidUrl(f"The URL cannot be read: {error}") from error
    if scheme not in ("http", "https"):
        raise InvalidUrl(f"The URL's scheme is `{scheme}`; only http and https are fetched")
    return url.with_fragment(None)


def _literal(host: str) -> Address | None:
    """The address when the host is written as one; raises when it is a number in any other notation.

    `2130706433`, `0177.1` and `0x7f.0.0.1` are all 127.0.0.1 to the system's resolver.
    """
    if "%" in host:
        raise InvalidUrl("The URL's host has a zone or an escape in it")
    if ":" in host:
        try:
            return IPv6Address(host)
        except AddressValueError as error:
            raise InvalidUrl(f"The URL's host {host} is not an address") from error
    if not _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return None
    try:
        return IPv4Address(host)
    except AddressValueError as error:
        raise UrlNotAllowed(f"The URL's host {host} is a number in an unusual notation") from error


def _named(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host.lower()}:{port}"
