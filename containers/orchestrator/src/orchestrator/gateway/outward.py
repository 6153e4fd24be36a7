"""Calls of workflows to other hosts, made as jobs are: guarded as every URL, and answered as JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import orjson

from orchestrator.fetcher.fetcher import Fetcher
from orchestrator.gateway import structure
from orchestrator.jobs.calls import Answer, Call
from orchestrator.workflows.errors import HttpStepFailed

# In the place of a service's name.
OUTWARD = "http"
_JSON = "application/json"
# What the connection or the fetcher decides.
_OWN = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding")
_MOST_SHOWN = 300


class Outward:
    """`send` is that of `orchestrator.jobs.calls.Caller`; the call's path is a whole URL."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    @asynccontextmanager
    async def send(self, call: Call, body: AsyncIterator[bytes]) -> AsyncIterator[Answer]:
        """The answer as `{"status", "type", "body"}`. Raises HttpStepFailed and what the fetcher raises."""
        content = b"".join([piece async for piece in body])
        headers = {name: value for name, value in call.headers.items() if name.lower() not in _OWN}
        async with self._fetcher.call(call.method, call.path, headers, content or None) as reply:
            received = b"".join([chunk async for chunk in reply.chunks])
            if not 200 <= reply.status < 300:
                words = received[:_MOST_SHOWN].decode("utf-8", "replace").strip()
                raise HttpStepFailed(f"The host answered {reply.status}: {words or 'no words'}")
            answer = {
                "status": reply.status,
                "type": reply.content_type,
                "body": _read(reply.content_type, received),
            }
            yield Answer(200, {"content-type": _JSON}, _one(orjson.dumps(answer)))

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer. Raises what the fetcher raises."""
        async with self._fetcher.call("POST", url, headers, body) as reply:
            return reply.status


def _read(kind: str, content: bytes) -> object:
    """JSON as what it is, everything else as text."""
    if kind == _JSON or kind.endswith("+json"):
        structure.check(content)
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise HttpStepFailed(
                f"The host says that its answer is JSON, which it is not: {error}"
            ) from error
    return content.decode("utf-8", "replace")


async def _one(piece: bytes) -> AsyncIterator[bytes]:
    yield piece
