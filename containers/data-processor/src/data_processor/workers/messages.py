"""Messages between the service and a worker: a JSON header and a body of bytes, over a stream socket."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from typing import Any

import orjson

_LENGTHS = struct.Struct("!IQ")


class Disconnected(Exception):
    """The other side has gone."""


class TooLong(Exception):
    """The other side announces a message that is longer than allowed."""


def send(connection: socket.socket, header: Mapping[str, Any], body: bytes = b"") -> None:
    """Raises Disconnected."""
    text = orjson.dumps(header)
    try:
        connection.sendall(_LENGTHS.pack(len(text), len(body)) + text)
        if body:
            connection.sendall(body)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Disconnected from error


def receive(connection: socket.socket, most: int | None = None) -> tuple[dict[str, Any], bytes]:
    """The next message, of at most so many bytes. Raises Disconnected, TooLong before any memory is taken
    for it, and TimeoutError when the socket has a timeout."""
    header_length, body_length = _LENGTHS.unpack(_read(connection, _LENGTHS.size))
    if most is not None and header_length + body_length > most:
        raise TooLong
    header: dict[str, Any] = orjson.loads(_read(connection, header_length))
    return header, _read(connection, body_length)


def _read(connection: socket.socket, length: int) -> bytes:
    buffer = bytearray(length)
    view = memoryview(buffer)
    read = 0
    while read < length:
        try:
            count = connection.recv_into(view[read:])
        except ConnectionResetError as error:
            raise Disconnected from error
        if count == 0:
            raise Disconnected
        read += count
    return bytes(buffer)
