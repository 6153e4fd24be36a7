"""HTTP by hand over a socket, for clients that stop reading, stop writing, or leave."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

DEADLINE_S = 60


@contextmanager
def connection(port: int, *, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    """A connection to a local port; a small receive buffer makes a slow reader felt at once."""
    with socket.socket() as made:
        made.settimeout(DEADLINE_S)
        if receive_buffer is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.connect(("127.0.0.1", port))
        yield made


def head(method: str, target: str, *headers: str, host: str = "127.0.0.1") -> bytes:
    """The head of a request."""
    return "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode()


def problem_of(port: int, request: bytes) -> bytes:
    """The answer to a request that is refused, up to the end of its problem document."""
    with connection(port) as client:
        client.sendall(request)
        return read_until(client, b"}")


def read_until(source: socket.socket, mark: bytes) -> bytes:
    """What comes in up to and with the mark; raises EOFError when the connection ends first."""
    found = b""
    while mark not in found:
        piece = source.recv(65536)
        if not piece:
            raise EOFError(found)
        found += piece
    return found


def wait_until(true: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Poll until a condition holds; raises with its name when it never does."""
    deadline = time.monotonic() + deadline_s
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it never happened: {what}")
        time.sleep(0.005)
