"""A vision request that names its picture by URL becomes one that carries it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any

import orjson

from orchestrator.fetcher.fetcher import Fetched
from orchestrator.gateway.calls import Body, Call

PATH = "/ai/vision/analyze"
ACCEPTED_TYPES = ("image/", "application/octet-stream", "binary/octet-stream")
_KEY = "image_url"


def may_name_a_url(call: Call) -> bool:
    """Whether it is JSON for the vision service."""
    if not call.target.startswith(PATH) or call.target.partition("?")[0] != PATH:
        return False
    kind = call.header("content-type").partition(";")[0].strip().lower()
    return kind in ("application/json", "")


async def whole(body: Body) -> bytes:
    """The body in one piece; its length is bounded by `server.max_body_bytes`."""
    return body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])


def url_in(document: bytes) -> str | None:
    """The address that the picture is to be fetched from.

    A picture that is there already, a `data:` URL, and wrong JSON are the service's to judge.
    """
    request = _object(document)
    url = request.get(_KEY) if request and "image" not in request else None
    named = isinstance(url, str) and not url.strip().lower().startswith("data:")
    return url if named else None


def as_multipart(call: Call, document: bytes, picture: Fetched) -> tuple[Call, AsyncIterator[bytes]]:
    """The same call with the part `request` (the JSON without the URL) and the part `image`."""
    request = _object(document) or {}
    request.pop(_KEY, None)
    boundary = secrets.token_hex(16)
    kind = f"multipart/form-data; boundary={boundary}"
    changed = call.with_headers(content_type=kind, content_length="", content_encoding="")
    return changed, _parts(boundary, orjson.dumps(request), picture)


async def _parts(boundary: str, request: bytes, picture: Fetched) -> AsyncIterator[bytes]:
    yield (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="request"\r\n'
        "Content-Type: application/json\r\n\r\n"
    ).encode() + request
    yield (
        f"\r\n--{boundary}\r\n"
        'Content-Disposition: form-data; name="image"; filename="image"\r\n'
        f"Content-Type: {picture.content_type}\r\n\r\n"
    ).encode()
    async for chunk in picture.chunks:
        yield chunk
    yield f"\r\n--{boundary}--\r\n".encode()


def _object(document: bytes) -> dict[str, Any] | None:
    # Looked for first, since a base64 picture of many megabytes would be parsed for nothing.
    if _KEY.encode() not in document:
        return None
    try:
        parsed = orjson.loads(document)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None
