"""Bodies of requests: JSON into memory, files onto the disk, both with a limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from fastapi import Request
from starlette.requests import ClientDisconnect

from ai_semble.connection import ClientGone
from ai_semble.errors import BodyTooLarge
from ai_semble.room import Room
from data_processor.datasets.disk import on_disk
from data_processor.errors import WrongEncoding
from data_processor.routes.encodings import decoder

_CHUNK = 1024 * 1024


async def read_body(request: Request, most: int) -> bytes:
    """Raises BodyTooLarge."""
    body = bytearray()
    async for chunk in pieces(request):
        body += chunk
        if len(body) > most:
            raise BodyTooLarge(f"The body is longer than {most} bytes")
    return bytes(body)


async def save_body(request: Request, path: Path, most: int, room: Room, encoding: str = "") -> None:
    """Write the body to a file as it comes. Text in another encoding becomes UTF-8 on the way.

    Raises BodyTooLarge, InsufficientStorage, WrongEncoding.
    """
    check_announced(request, most, room)
    with FileWriter(path, most, room, encoding) as file:
        async for chunk in chunks(request):
            await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(file.finish)


def check_announced(request: Request, most: int, room: Room) -> None:
    """Refuse by the length that the client announces, before anything is read. Raises BodyTooLarge,
    InsufficientStorage.
    """
    header = request.headers.get("content-length", "")
    announced = int(header) if header.isascii() and header.isdigit() else 0
    if announced > most:
        raise BodyTooLarge(
            f"The file has {announced} bytes, and {most} are accepted",
            hint="Compress it with zstd, split it, or raise `data.max_upload_bytes` in the configuration.",
        )
    room.check(announced)


async def pieces(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes. Raises ClientGone."""
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect as error:
        raise ClientGone from error


async def chunks(request: Request) -> AsyncIterator[bytes]:
    """The body in larger pieces, so that not every packet costs a thread switch. Raises ClientGone."""
    waiting = bytearray()
    async for piece in pieces(request):
        waiting += piece
        if len(waiting) >= _CHUNK:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


class FileWriter:
    """Writes a file that comes in pieces. Blocks; a file that was not finished is the caller's to remove."""

    def __init__(self, path: Path, most: int, room: Room, encoding: str = "") -> None:
        self._path = path
        self._most = most
        self._room = room
        self._written = 0
        self._decode = decoder(encoding) if encoding else None
        self._encoding = encoding
        self._file: BinaryIO

    def __enter__(self) -> FileWriter:
        with on_disk():
            self._file = self._path.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        with on_disk():
            self._file.close()

    def write(self, piece: bytes) -> None:
        """Raises BodyTooLarge, InsufficientStorage, WrongEncoding."""
        self._written += len(piece)
        if self._written > self._most:
            raise BodyTooLarge(f"The file is longer than {self._most} bytes")
        self._put(self._converted(piece, last=False))

    def finish(self) -> None:
        """Write what is left."""
        self._put(self._converted(b"", last=True))
        with on_disk():
            self._file.flush()

    def _put(self, piece: bytes) -> None:
        self._room.check(len(piece))
        with on_disk():
            self._file.write(piece)

    def _converted(self, piece: bytes, *, last: bool) -> bytes:
        if self._decode is None:
            return piece
        try:
            return self._decode(piece, last).encode("utf-8", "surrogatepass")
        except UnicodeError as error:
            place = error.start if isinstance(error, UnicodeDecodeError) else 0
            reason = error.reason if isinstance(error, UnicodeDecodeError) else str(error)
            raise WrongEncoding(
                f"Near byte {self._written - len(piece) + place}: {reason}",
                hint="Name the encoding that the file really has, as `?encoding=`.",
            ) from error
