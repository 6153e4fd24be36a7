"""One orchestrator a state folder: two would each continue what they take for the other's leftovers."""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path

from orchestrator.jobs.errors import StateFolderTaken

PATIENCE_S = 15.0
_AGAIN_S = 0.05


class FolderLock:
    """A lock that the kernel frees when the process dies, however it dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    async def take(self) -> None:
        """Wait until the last orchestrator has gone. Raises StateFolderTaken when it does not go."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not _locked(descriptor):  # noqa: ASYNC110 - another process has nothing to set
                    await asyncio.sleep(_AGAIN_S)
        except TimeoutError:
            os.close(descriptor)
            raise StateFolderTaken(f"Another orchestrator uses {self._folder}") from None
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
