"""Requests and answers of jobs: short ones go into the database with their job, long ones are files."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterable
from io import FileIO
from pathlib import Path

from ai_semble.errors import InsufficientStorage
from ai_semble.room import Room
from orchestrator.jobs.records import REQUEST, RESULT, StoredBody

# Up to here a row is quicker than a file, which costs two flushes of its own.
MOST_IN_DATABASE = 16 * 1024
_PIECE = 256 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Bodies:
    """The files `<job id>.request` and `<job id>.result` in one folder; whole once they have that name."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._folder = room.folder

    def open(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def receive(self, job_id: str, part: str, pieces: AsyncIterator[bytes]) -> StoredBody:
        """Take a body in; when this returns, a long one is on the disk. Nothing is left when it raises.

        Raises InsufficientStorage when the disk has no room, and what `pieces` raises.
        """
        spool = _Spool(self._path(job_id, part), self.room)
        try:
            async for piece in pieces:
                await spool.add(piece)
            return await spool.finish()
        except OSError as error:
            raise _explain(error) from error
        finally:
            await spool.close()

    async def read(self, job_id: str, part: str) -> AsyncIterator[bytes]:
        """The pieces of a body that is in a file. Raises FileNotFoundError."""
        file = await asyncio.to_thread(self._path(job_id, part).open, "rb")
        try:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                yield piece
        finally:
            file.close()

    def size(self, job_id: str, part: str) -> int:
        """Its length in bytes. Raises FileNotFoundError."""
        return self._path(job_id, part).stat().st_size

    def discard(self, job_id: str, parts: Iterable[str] = (REQUEST, RESULT)) -> None:
        for part in parts:
            self._path(job_id, part).unlink(missing_ok=True)

    def owners(self) -> set[str]:
        """The ids of all jobs that have a file here."""
        return {path.name.partition(".")[0] for path in self._folder.iterdir()}

    def discard_unfinished(self) -> None:
        """Remove what a crash left half written."""
        for path in self._folder.glob("*.part"):
            path.unlink(missing_ok=True)

    def _path(self, job_id: str, part: str) -> Path:
        return self._folder / f"{job_id}.{part}"


class _Spool:
    """Holds a body in memory as long as it is short, then writes it to a file beside its place."""

    def __init__(self, path: Path, room: Room) -> None:
        self._path = path
        self._room = room
        self._unfinished = path.with_name(path.name + ".part")
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._size = 0
        self._hash = hashlib.sha256()
        self._file: FileIO | None = None
        self._work: asyncio.Future[None] | None = None  # what a thread does, or did last
        self._in_place = self._finished = False

    async def add(self, piece: bytes) -> None:
        self._held.append(piece)
        self._held_bytes += len(piece)
        self._size += len(piece)
        self._hash.update(piece)
        if self._held_bytes > (_PIECE if self._file else MOST_IN_DATABASE):
            await self._in_thread(self._write)

    async def finish(self) -> StoredBody:
        if self._file is None:
            return StoredBody(self._size, self._hash.hexdigest(), b"".join(self._held))
        await self._in_thread(self._put_in_place)
        self._finished = True
        return StoredBody(self._size, self._hash.hexdigest(), None)

    async def close(self) -> None:
        """Remove what did not come to its end."""
        if self._work is not None:
            await asyncio.shield(asyncio.ensure_future(self._clear(self._work)))

    async def _clear(self, work: asyncio.Future[None]) -> None:
        await asyncio.wait((work,))
        if self._file is not None:
            self._file.close()
            self._unfinished.unlink(missing_ok=True)
        if self._in_place and not self._finished:
            self._path.unlink(missing_ok=True)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        # A thread cannot be stopped: a caller that is cancelled leaves it at work, and `close` waits for it.
        self._work = asyncio.get_running_loop().run_in_executor(None, work)
        await asyncio.shield(self._work)

    def _write(self) -> None:
        self._room.check(self._held_bytes)
        if self._file is None:
            # Unbuffered, so that a full disk shows at the write, and closing can never fail.
            self._file = FileIO(self._unfinished, "w")
        data = memoryview(b"".join(self._held))
        while data:
            data = data[self._file.write(data) :]
        self._held.clear()
        self._held_bytes = 0

    def _put_in_place(self) -> None:
        self._write()
        assert self._file is not None  # noqa: S101 - `_write` opened it
        os.fsync(self._file.fileno())
        self._unfinished.rename(self._path)
        self._in_place = True
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # the name too has to survive a power cut
        finally:
            os.close(folder)


def _explain(error: OSError) -> Exception:
    if error.errno in _FULL:
        return InsufficientStorage(f"The job could not be written: {error.strerror}")
    return error
