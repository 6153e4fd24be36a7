"""Connections that a client cannot keep for nothing: uvicorn's HTTP protocol with limits of its own.

uvicorn lets a head be of any length and take any time, counts no requests that are sent ahead, and takes what
stands behind a body (trailers) for headers. Here a client that makes the server wait has `client_timeout_s`, and
when too many make it wait, the one that has done so for longest is let go, so that there is room for the next.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ai_semble import problems
from ai_semble.context import adopt_request_id
from ai_semble.errors import AiSembleError, HeadTooLarge, MalformedRequest
from ai_semble.logs import get_logger

log = get_logger(__name__)
MOST_HEAD_BYTES = 64 * 1024
MOST_SENT_AHEAD = 16
LEAST_BYTES_PER_S = 1024
"""What a body must reach on average, after the first `client_timeout_s`."""
_LOOK_EVERY_S = 1.0
_BODY_HEADERS = (b"content-length", b"transfer-encoding")
_MOMENT_S = 0.5  # many who send at the same time are no attack
_FAR_TOO_MANY = 4
_MUCH = 16 * 1024  # what nobody sends at once who wants to be slow


class Waiting:
    """Connections whose client is waited for, in order, with the time since when; `most` is how many may wait."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.connections: dict[BoundedProtocol, float] = {}

    def add(self, connection: BoundedProtocol) -> None:
        """At the end, wherever it was."""
        now = connection.loop.time()
        self.connections.pop(connection, None)
        self.connections[connection] = now
        self.make_room(now)

    def remove(self, connection: BoundedProtocol) -> None:
        self.connections.pop(connection, None)

    def make_room(self, now: float) -> None:
        """Let the first go while there are too many, if it has had a moment; of far too many also without."""
        while len(self.connections) > self.most:
            first, since = next(iter(self.connections.items()))
            if now - since < _MOMENT_S and len(self.connections) <= self.most * _FAR_TOO_MANY:
                return
            first.let_go()


class Connections:
    """All connections of one server. Of a `slow` one a request is under way, of an `idle` one none is."""

    def __init__(self, service: str, *, most_idle: int, most_slow: int, client_timeout_s: float) -> None:
        self.service = service
        self.client_timeout_s = client_timeout_s
        self.idle = Waiting(most_idle)
        self.slow = Waiting(most_slow)
        self.let_go = 0
        self._next_look: asyncio.TimerHandle | None = None

    def protocol(self, **given: Any) -> BoundedProtocol:
        """What uvicorn calls for a new connection: give it as `uvicorn.Config(http=...)`."""
        if self._next_look is None:
            self._look_later()
        return BoundedProtocol(self, **given)

    def _look_later(self) -> None:
        self._next_look = asyncio.get_running_loop().call_later(_LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        """Take a second of everybody's patience. With nobody left, the next connection starts it again."""
        self._next_look = None
        now = asyncio.get_running_loop().time()
        for group in (self.idle, self.slow):
            group.make_room(now)
        waiting = [*self.idle.connections, *self.slow.connections]
        for connection in waiting:
            connection.wait(_LOOK_EVERY_S)
        if self.let_go:
            log.warning("connections_let_go", count=self.let_go)
            self.let_go = 0
        if waiting:
            self._look_later()


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self._all = connections
        self._patience_s = connections.client_timeout_s
        self._head_complete = False
        self._body_complete = True
        self._steps = 0
        self._fruitless_bytes = 0
        self._refusal: AiSembleError | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._all.idle.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.idle.remove(self)
        self._all.slow.remove(self)
        super().connection_lost(exc)

    def wait(self, seconds: float) -> None:
        """Lose patience, unless it is us who keep this client waiting, or it waits between two requests."""
        we_are_slow = self.flow.read_paused and not self.flow.write_paused
        between = self.timeout_keep_alive_task is not None
        if (we_are_slow or between) and not self.transport.is_closing():
            return
        self._patience_s -= seconds
        if self._patience_s <= 0:
            self.let_go()

    def let_go(self) -> None:
        """Not `close`, which would wait until the client has read everything."""
        self._all.idle.remove(self)
        self._all.slow.remove(self)
        self._all.let_go += 1
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        steps = self._steps
        super().data_received(data)
        self._fruitless_bytes = 0 if self._steps > steps else self._fruitless_bytes + len(data)
        if self._fruitless_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(HeadTooLarge(f"There are more than {MOST_HEAD_BYTES} bytes and no end"))
        elif not self._body_complete and (len(data) > _MUCH or self not in self._all.slow.connections):
            self._all.slow.add(self)

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal or MalformedRequest(msg))

    def _refuse(self, error: AiSembleError) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and (self.cycle.response_started or self.pipeline or not self._head_complete):
            self.transport.abort()  # an answer here would stand in the middle of another one
            return
        adopt_request_id(None)
        body = orjson.dumps(problems.document(error, self._all.service))
        head = f"content-type: {problems.PROBLEM_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[error.status] + head.encode() + body)
        self.transport.close()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._head_complete = False
        self._patience_s = self._all.client_timeout_s
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_complete:  # what stands behind a body is no header: nobody has checked it
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._steps += 1
        if refusal := self._objection():
            self._refusal = refusal
            raise refusal
        super().on_headers_complete()
        self._head_complete = True
        self._body_complete = False
        self._patience_s = self._all.client_timeout_s
        self._all.idle.remove(self)

    def _objection(self) -> AiSembleError | None:
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MOST_HEAD_BYTES:
            return HeadTooLarge(f"The head is longer than {MOST_HEAD_BYTES} bytes")
        if len(self.pipeline) >= MOST_SENT_AHEAD:
            return MalformedRequest(f"{MOST_SENT_AHEAD} requests wait for their answers already")
        if self.parser.should_upgrade() and any(name in _BODY_HEADERS for name, _ in self.headers):
            return MalformedRequest("It wants another protocol and has a body, which the parser would drop")
        return None

    def on_body(self, body: bytes) -> None:
        self._steps += 1
        self._patience_s += len(body) / LEAST_BYTES_PER_S
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._steps += 1
        self._body_complete = True
        super().on_message_complete()
        if not self.flow.write_paused:
            self._all.slow.remove(self)
        if self.cycle.response_complete:
            self._all.idle.add(self)

    # What the answer does.

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._patience_s = self._all.client_timeout_s
        if self._body_complete and not self.pipeline:
            self._all.idle.add(self)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._patience_s = self._all.client_timeout_s
        self._all.slow.add(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._patience_s = self._all.client_timeout_s
        if self._body_complete:
            self._all.slow.remove(self)
