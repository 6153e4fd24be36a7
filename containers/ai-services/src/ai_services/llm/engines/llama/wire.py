"""Frames between the service and the process that runs llama.cpp, on a socket pair.

A frame is a header (payload length, kind, number of the call) and a payload. Standard library only,
since both sides read it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

_HEADER = struct.Struct("<IBI")


class Kind(IntEnum):
    """What a frame says."""

    LOAD = 1
    """To the host: the settings, as JSON. Its first frame."""
    READY = 2
    """From the host: the model is loaded; facts about it, as JSON."""
    CALL = 3
    """To the host: an order, see `order.py`."""
    CANCEL = 4
    """To the host: stop this call soon. It still ends with DONE or FAILED."""
    CHUNK = 5
    """From the host: one chunk of a streamed answer, JSON as llama.cpp wrote it."""
    DONE = 6
    """From the host: the call has ended; its outcome, as JSON."""
    FAILED = 7
    """From the host: the call, or (number 0) loading, has failed; why, as JSON."""


@dataclass(frozen=True)
class Frame:
    """One message."""

    kind: Kind
    call: int
    payload: bytes

    def packed(self) -> bytes:
        return _HEADER.pack(len(self.payload), self.kind, self.call) + self.payload


class Splitter:
    """Cuts a stream of bytes into frames, however the bytes arrive."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with these bytes."""
        buffer = self._rest + data if self._rest else data
        start = 0
        while len(buffer) - start >= _HEADER.size:
            length, kind, call = _HEADER.unpack_from(buffer, start)
            end = start + _HEADER.size + length
            if end > len(buffer):
                break
            yield Frame(Kind(kind), call, buffer[start + _HEADER.size : end])
            start = end
        self._rest = buffer[start:]
