"""A call that is made later: what is kept of it, what comes back, and who makes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Call:
    """A request to one service, without its body.

    `path` is the raw path with its query. `headers` are those that the service shall see (content-type,
    accept, ...; never connection headers or credentials), in lower case. `request_id` is the id of the
    request that submitted it, so that the logs of all services can be followed.
    """

    service: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Answer:
    """What a service answered; `headers` in lower case, `body` read once while the context is open."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]


class Caller(Protocol):
    """Makes calls. The gateway's upstreams do it in production, a small client in the tests."""

    def send(
        self, call: Call, body: AsyncIterator[bytes], *, timeout_s: float
    ) -> AbstractAsyncContextManager[Answer]:
        """Send the call and give its answer; leaving the context early aborts the request upstream.

        `call.headers` has an exact `content-length`. `timeout_s` bounds the whole call and replaces the
        gateway's own silence limit. Raises ServiceUnavailable when the service was not reached (so it
        cannot have begun), BadGateway when it broke off, DeadlineExceeded when it took too long,
        and any other AiSembleError for a call that cannot be made at all (a refused URL).
        """
        ...
