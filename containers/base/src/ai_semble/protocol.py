"""Connections that a client cannot keep for nothing: uvicorn's HTTP protocol with limits of its own.

uvicorn lets a head be of any length and take any time, counts no requests that are sent ahead, takes what stands
behind a body (trailers) for headers, and drops the body of a request that would like another protocol. Here a client
that makes the server wait has `client_timeout_s`, and when too many make it wait, the one that has moved nothing for
longest is let go, so that there is room for the next.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from itertools import chain
from typing import Any, Protocol

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ai_semble import problems
from ai_semble.context import adopt_request_id
from ai_semble.errors import AiSembleError, HeadTooLarge, MalformedRequest
from ai_semble.logs import get_logger
from ai_semble.neighbours import TurnsAway, nobody

log = get_logger(__name__)
MOST_HEAD_BYTES = 64 * 1024
MOST_SENT_AHEAD = 16
LEAST_BYTES_PER_S = 1024
"""What a body must reach on average, after the first `client_timeout_s`, and an answer in `client_timeout_s`."""
_LOOK_EVERY_S = 1.0
_MUCH = 16 * 1024  # who has moved this much moves
_MOMENT_S = 1.0  # many who begin at the same time are no attack
_STALLED_S = 5.0
_BARELY_STALLED_S = 2.0
_FAR_TOO_MANY = 4
_SHAKING_OF_IDLE = 8  # a handshake is short, and takes some 100 KB meanwhile
_TCP_INFO_BYTES = 128
_BYTES_ACKNOWLEDGED = 120  # where Linux has them in its tcp_info


class Waited(Protocol):
    """A connection whose client may be waited for."""

    loop: asyncio.AbstractEventLoop

    def has_moved(self) -> bool: ...
    def wait(self, seconds: float) -> None: ...
    def let_go(self) -> None: ...


class Waiting:
    """Connections whose client is waited for, each with the time since when; `most` is how many may wait.

    Those that `move` have sent or read `_MUCH` since the time noted, and stand in the order in which they did.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.fresh: dict[Waited, float] = {}
        self.moving: dict[Waited, float] = {}

    def __len__(self) -> int:
        return len(self.fresh) + len(self.moving)

    def __iter__(self) -> Iterator[Waited]:
        return chain(self.fresh, self.moving)

    def add(self, connection: Waited, now: float) -> None:
        """At the end of those that move, if it does; a fresh one keeps its place."""
        if connection.has_moved():
            self.remove(connection)
            self.moving[connection] = now
        elif connection not in self.moving:
            self.fresh.setdefault(connection, now)

    def remove(self, connection: Waited) -> None:
        self.fresh.pop(connection, None)
        self.moving.pop(connection, None)

    def make_room(self, now: float) -> None:
        """While there are too many, let go who has not moved for longest, if it has had its time."""
        while (found := self._longest_still(now)) is not None:
            if found.has_moved():
                self.remove(found)
                self.moving[found] = now
            else:
                found.let_go()

    def _longest_still(self, now: float) -> Waited | None:
        """Of far too many, one that never moved goes at once, and one that did has to go on doing so."""
        if len(self) <= self.most:
            return None
        far_too_many = len(self) > self.most * _FAR_TOO_MANY
        times = (0.0, _BARELY_STALLED_S) if far_too_many else (_MOMENT_S, _STALLED_S)
        for group, time_s in zip((self.fresh, self.moving), times, strict=True):
            for connection, since in group.items():
                if now - since >= time_s:
                    return connection
                break
        return None


class Connections:
    """All connections of one server. Of a `slow` one a request is under way, of an `idle` one none is, and a `shaking`
    one has not come as far as that: it does not speak TLS yet.
    """

    def __init__(
        self,
        service: str,
        *,
        most_idle: int,
        most_slow: int,
        client_timeout_s: float,
        turns_away: TurnsAway = nobody,
    ) -> None:
        self.service = service
        self.client_timeout_s = client_timeout_s
        self.turns_away = turns_away
        self.idle = Waiting(most_idle)
        self.slow = Waiting(most_slow)
        self.shaking = Waiting(max(1, most_idle // _SHAKING_OF_IDLE))
        self._groups = (self.idle, self.slow, self.shaking)
        self.let_go = 0
        self._next_look: asyncio.TimerHandle | None = None

    def protocol(self, **given: Any) -> BoundedProtocol:
        """What uvicorn calls for a new connection: give it as `uvicorn.Config(http=...)`."""
        return BoundedProtocol(self, **given)

    def put(self, connection: Waited, group: Waiting | None) -> None:
        """Into this group and out of the other; into none when it is not the client who is waited for."""
        for other in self._groups:
            if other is not group:
                other.remove(connection)
        if group is not None:
            now = connection.loop.time()
            group.add(connection, now)
            group.make_room(now)
            self._look_later()

    def _look_later(self) -> None:
        if self._next_look is None:
            self._next_look = asyncio.get_running_loop().call_later(_LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        """Take a second of everybody's patience, and see who has moved."""
        self._next_look = None
        now = asyncio.get_running_loop().time()
        for group in self._groups:
            for connection in list(group):
                group.add(connection, now)
                connection.wait(_LOOK_EVERY_S)
            group.make_room(now)
        if self.let_go:
            log.warning("connections_let_go", count=self.let_go)
            self.let_go = 0
        if any(self._groups):
            self._look_later()


class PlainParser(httptools.HttpRequestParser):
    """Goes on where the caller would like another protocol: the head is read again, without that wish."""

    def __init__(self, protocol: BoundedProtocol) -> None:
        self._protocol = protocol
        self._begin()

    def _begin(self) -> None:
        """As if nothing was read: behind an upgrade with `Connection: close` it would hear nothing more."""
        super().__init__(self._protocol)
        # As uvicorn's own: what stands behind a request with `Connection: close` does not cost it its answer.
        self.set_dangerous_leniencies(lenient_data_after_close=True)

    def feed_data(self, data: bytes) -> None:  # type: ignore[override] # never anything else
        left: bytes | None = data
        while left is not None:
            left = self._feed(left)

    def _feed(self, data: bytes) -> bytes | None:
        """What has to be read again."""
        try:
            super().feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._begin()
            return self._protocol.head_without_upgrade() + data[upgrade.args[0] :]
        return None


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self.parser = PlainParser(self)
        self._all = connections
        self._patience_s = connections.client_timeout_s
        self._head_complete = False
        self._body_complete = True
        self._steps = 0
        self._fruitless_bytes = 0
        self._moved_bytes = 0
        self._acknowledged_bytes = 0
        self._ends = False
        self._refusal: AiSembleError | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        peer, here = (address[0] if address else "" for address in (self.client, self.server))
        if self._all.turns_away(peer, here):
            log.warning("turned_away", client=peer)
            self._ends = True
            transport.abort()
            return
        self._put()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._put()

    def _put(self) -> None:
        """Among those whose client is waited for, or not."""
        if self not in self.connections:  # of a client that left, answers may still end
            self._all.put(self, None)
        elif self.flow.write_paused or not self._body_complete:
            self._all.put(self, self._all.slow)
        elif self._is_answering():
            self._all.put(self, None)
        else:
            self._all.put(self, self._all.idle)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _waits_for_us(self) -> bool:
        return self.flow.read_paused and not self.flow.write_paused

    def has_moved(self) -> bool:
        """Whether `_MUCH` went either way since this last said so; who waits for us is not still."""
        if self.flow.write_paused or self.transport.is_closing():
            self._count_read()
        if self._moved_bytes < _MUCH and not self._waits_for_us():
            return False
        self._moved_bytes = 0
        return True

    def _count_read(self) -> None:
        """What the client's machine has taken; the transport tells only when nearly all of an answer has left."""
        sock = self.transport.get_extra_info("socket")
        told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        (acknowledged,) = struct.unpack_from("Q", told, _BYTES_ACKNOWLEDGED)
        read = acknowledged - self._acknowledged_bytes
        self._acknowledged_bytes = acknowledged
        self._moved_bytes += read
        self._patience_s = min(self._all.client_timeout_s, self._patience_s + read / LEAST_BYTES_PER_S)

    def wait(self, seconds: float) -> None:
        """Lose patience, unless it is us who keep this client waiting, or it waits between two requests."""
        between = self.timeout_keep_alive_task is not None and not self.flow.write_paused
        if (self._waits_for_us() or between) and not self.transport.is_closing():
            return
        self._patience_s -= seconds
        if self._patience_s <= 0:
            self.let_go()

    def let_go(self) -> None:
        """Not `close`, which would wait until the client has read everything."""
        self._all.put(self, None)
        self._all.let_go += 1
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._ends:
            return
        steps = self._steps
        super().data_received(data)
        self._moved_bytes += len(data)
        self._fruitless_bytes = 0 if self._steps > steps else self._fruitless_bytes + len(data)
        if self._fruitless_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(HeadTooLarge(f"There are more than {MOST_HEAD_BYTES} bytes and no end"))
        self._put()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal or MalformedRequest(msg))

    def _refuse(self, error: AiSembleError) -> None:
        self._ends = True
        if self._is_answering() and not self._head_complete:
            self.cycle.keep_alive = False  # the requests before this one are answered, and then it is over
            return
        if self._is_answering() and (self.cycle.response_started or self.pipeline):
            self.transport.abort()  # an answer here would stand in the middle of another one
            return
        adopt_request_id(None)
        body = orjson.dumps(problems.document(error, self._all.service))
        head = f"content-type: {problems.PROBLEM_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[error.status] + head.encode() + body)
        self.transport.close()

    def head_without_upgrade(self) -> bytes:
        """The head that was read last; without this header nothing is left of an upgrade."""
        request = (
            f"{self.scope['method']} ".encode() + self.url + f" HTTP/{self.scope['http_version']}".encode()
        )
        headers = (name + b": " + value for name, value in self.headers if name != b"upgrade")
        return b"\r\n".join([request, *headers, b"", b""])

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
        if self.parser.should_upgrade():
            self.scope["method"] = self.parser.get_method().decode("ascii")
            self.scope["http_version"] = self.parser.get_http_version()
            return
        super().on_headers_complete()
        self._head_complete = True
        self._body_complete = False
        self._patience_s = self._all.client_timeout_s

    def _objection(self) -> AiSembleError | None:
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MOST_HEAD_BYTES:
            return HeadTooLarge(f"The head is longer than {MOST_HEAD_BYTES} bytes")
        if len(self.pipeline) >= MOST_SENT_AHEAD:
            return MalformedRequest(f"{MOST_SENT_AHEAD} requests wait for their answers already")
        if self.parser.get_method() == b"CONNECT":
            return MalformedRequest("There is no way through to another server")
        return None

    def on_body(self, body: bytes) -> None:
        self._steps += 1
        self._patience_s += len(body) / LEAST_BYTES_PER_S
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._head_complete:  # of a head that is read again
            return
        self._steps += 1
        self._body_complete = True
        super().on_message_complete()

    # What the answer does.

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._patience_s = self._all.client_timeout_s
        self._put()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._patience_s = self._all.client_timeout_s
        self._put()

    def resume_writing(self) -> None:
        self._count_read()
        super().resume_writing()
        self._patience_s = self._all.client_timeout_s
        self._put()
