"""What every request of every service gets, as one plain ASGI layer.

Request id, body limit, the service token, metrics, one access log line, and an answer for what nobody caught.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ai_semble import problems
from ai_semble.context import REQUEST_ID_HEADER, adopt_request_id, noted_problem
from ai_semble.errors import (
    AiSembleError,
    BodyTooLarge,
    InternalError,
    Overloaded,
    ServiceUnavailable,
    Unauthorized,
)
from ai_semble.logs import get_logger
from ai_semble.metrics import Metrics
from ai_semble.redaction import redacted

log = get_logger(__name__)
OPEN_PATHS = frozenset(("/health", "/health/live", "/health/ready", "/metrics"))
_ID_HEADER = REQUEST_ID_HEADER.lower().encode()
_CLIENT_LEFT = 499


@dataclass(frozen=True)
class Limits:
    """What one request may be, and how many at once. `unbounded_paths` stream their bodies themselves."""

    max_body_bytes: int
    max_requests: int
    unbounded_paths: Sequence[str] = ()

    def body_limit(self, path: str) -> int | None:
        return None if path.startswith(tuple(self.unbounded_paths)) else self.max_body_bytes


class Envelope:
    """The outermost layer of a service. `token` is None where callers need none."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        limits: Limits,
        token: str | None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.app = app
        self.metrics = metrics
        self.limits = limits
        self.token = token.encode() if token else None
        self.clock = clock
        self.running = 0
        metrics.in_flight.set_function(lambda: self.running)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self.limits.body_limit(scope["path"]))
        started = self.clock()
        self.running += 1
        try:
            self._admit(exchange)
            await self.app(scope, exchange.receive, exchange.send)
        except AiSembleError as error:
            await exchange.fail(error, self.metrics.service)
        except asyncio.CancelledError:
            # Only a server that stops cancels, when its patience ends; without an answer it would say 500, and a
            # caller would take a good request for a broken one.
            if exchange.status != _CLIENT_LEFT:
                raise
            stopped = ServiceUnavailable("The service stopped before the answer was ready", retry_after=1)
            await exchange.fail(stopped, self.metrics.service)
        except Exception as error:  # the one place where a defect becomes an answer
            log.exception("request_failed", path=redacted(scope["path"]))
            await exchange.fail(InternalError(type(error).__name__), self.metrics.service)
        finally:
            self.running -= 1
            self._record(scope, exchange.status, self.clock() - started)

    def _admit(self, exchange: _Exchange) -> None:
        path: str = exchange.scope["path"]
        if path in OPEN_PATHS:
            return
        if self.running > self.limits.max_requests:
            raise Overloaded(f"{self.limits.max_requests} requests are being answered already", retry_after=1)
        if self.token and not hmac.compare_digest(exchange.bearer(), self.token):
            raise Unauthorized("The environment's service token is missing or wrong")
        exchange.check_announced_length()

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self.metrics.count_request(scope["method"], route, status, seconds)
        write = log.debug if scope["path"] in OPEN_PATHS else log.info
        told = {
            "method": scope["method"],
            "path": redacted(scope["path"]),
            "status": status,
            "ms": round(seconds * 1000, 2),
        }
        if code := noted_problem():
            told["code"] = code
        write("request", **told)


class _Exchange:
    """One request and its answer, watched on the way through."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, body_limit: int | None) -> None:
        self.scope = scope
        self.status = _CLIENT_LEFT  # unless an answer starts, the client went away first
        self.complete = False
        self._headers = dict(scope["headers"])
        self.id = adopt_request_id(self._headers.get(_ID_HEADER, b"").decode("latin-1"))
        self._receive = receive
        self._send = send
        self._limit = body_limit
        self._received = 0

    def bearer(self) -> bytes:
        scheme, _, token = self._headers.get(b"authorization", b"").partition(b" ")
        return token.strip() if scheme.lower() == b"bearer" else b""

    def check_announced_length(self) -> None:
        announced = self._headers.get(b"content-length", b"")
        if self._limit is not None and announced.isdigit() and int(announced) > self._limit:
            raise BodyTooLarge(self._too_large())

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and self._limit is not None:
            self._received += len(message.get("body", b""))
            if self._received > self._limit:
                # Starlette's own exception, since FastAPI lets only that pass while it reads a body.
                raise HTTPException(413, self._too_large())
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            kept = [item for item in message.get("headers", ()) if item[0] != _ID_HEADER]
            message["headers"] = [*kept, (_ID_HEADER, self.id.encode())]
        elif not message.get("more_body", False):
            self.complete = True
        await self._send(message)

    async def fail(self, error: AiSembleError, source: str) -> None:
        """Answer with the problem, unless an answer is under way: then the broken stream has to speak."""
        if self.status == _CLIENT_LEFT:
            await problems.response(error, source, self.scope["path"])(self.scope, self.receive, self.send)
        elif not self.complete:
            raise error

    def _too_large(self) -> str:
        return f"The body is longer than {self._limit} bytes"
