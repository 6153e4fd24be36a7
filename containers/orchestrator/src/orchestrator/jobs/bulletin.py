"""Tells those who watch a job that something about it has changed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Watch:
    """One watcher's view. A change between two waits is not missed."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def ring(self) -> None:
        self._changed.set()

    async def wait(self, seconds: float) -> bool:
        """Until the next change; False when there was none for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class Bulletin:
    """Who watches which job, in this process."""

    def __init__(self) -> None:
        self.closed = False
        self._watches = defaultdict[str, set[Watch]](set)

    @contextmanager
    def watching(self, job_id: str) -> Iterator[Watch]:
        """Take the watch before looking at the job: then nothing falls between the two."""
        watch = Watch()
        self._watches[job_id].add(watch)
        try:
            yield watch
        finally:
            self._watches[job_id].discard(watch)
            if not self._watches[job_id]:
                del self._watches[job_id]

    def ring(self, job_id: str) -> None:
        for watch in self._watches.get(job_id, ()):
            watch.ring()

    def close(self) -> None:
        """Wake everybody, to go home."""
        self.closed = True
        for job_id in self._watches:
            self.ring(job_id)
