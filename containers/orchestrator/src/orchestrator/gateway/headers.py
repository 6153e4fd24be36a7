"""Which headers pass the gateway, in either direction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.gateway.calls import Headers

RawHeaders = Iterable[tuple[bytes, bytes]]

# RFC 9110, 7.6.1: they speak of one connection only.
_HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
# The caller's secrets are not the services' business, our token goes instead. `expect` was answered by our
# server; `prefer` is decided here; the id goes as the one that was adopted.
_KEPT_FROM_SERVICES = _HOP_BY_HOP | {
    b"host",
    b"authorization",
    b"x-api-key",
    b"cookie",
    b"expect",
    b"prefer",
    b"x-request-id",
}
# Our own server writes these.
_KEPT_FROM_CLIENTS = _HOP_BY_HOP | {b"date", b"server", b"x-request-id"}


def to_service(raw: RawHeaders) -> Headers:
    """A client's headers as a service may see them; `raw` has lower-case names, as ASGI wants."""
    raw = list(raw)
    named = connection_options(raw)
    return tuple(
        (name.decode("latin-1"), text(value))
        for name, value in raw
        if name not in _KEPT_FROM_SERVICES and name not in named
    )


def text(value: bytes) -> str:
    """Bytes of a request as text that becomes the same bytes again, which aiohttp writes as UTF-8.

    What is no UTF-8 is taken for Latin-1, as HTTP once had it.
    """
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def to_client(raw: RawHeaders) -> list[tuple[bytes, bytes]]:
    """A service's headers as the client may see them, with lower-case names."""
    lowered = [(name.lower(), value) for name, value in raw]
    named = connection_options(lowered)
    return [item for item in lowered if item[0] not in _KEPT_FROM_CLIENTS and item[0] not in named]


def connection_options(raw: RawHeaders) -> frozenset[bytes]:
    """Headers that `Connection` declares to be hop-by-hop."""
    for name, value in raw:
        if name == b"connection" and value.lower() not in (b"keep-alive", b"close"):
            return frozenset(option.strip().lower() for option in value.split(b","))
    return frozenset()


def prefers_async(raw: RawHeaders) -> bool:
    """Whether the client asked for a job: `Prefer: respond-async` (RFC 7240)."""
    return any(name == b"prefer" and b"respond-async" in _preferences(value) for name, value in raw)


def _preferences(value: bytes) -> Sequence[bytes]:
    return [part.partition(b";")[0].strip().lower() for part in value.split(b",")]
