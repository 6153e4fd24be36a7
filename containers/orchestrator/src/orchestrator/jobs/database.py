"""One SQLite file, written by one thread and read by another, so that neither blocks the event loop.

What is asked for while a commit is on its way to the disk is committed together next time. So a hundred
jobs that are submitted at once cost a few flushes instead of a hundred, and each is still on the disk when
its `write` returns. Flushes are what a job costs most, so what a power cut may take goes without one.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from ai_semble.errors import InsufficientStorage
from orchestrator.jobs.queries import migrate

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
_MOST_IN_A_COMMIT = 200
_STORAGE_ERRORS = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


@dataclass(frozen=True)
class _Pending:
    """Work that was asked for. `durable` when it has to be on the disk before its future is done."""

    work: Work[Any]
    done: Future[Any]
    durable: bool


class Database:
    """`open` and `close` block; `read` and `write` are for the event loop. `migrate` makes or updates the tables."""

    def __init__(
        self, path: Path, migrate: Callable[[sqlite3.Connection], None] = migrate, name: str = "jobs"
    ) -> None:
        self._path = path
        self._migrate = migrate
        self._pending: SimpleQueue[_Pending | None] = SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name=f"{name}-writer", daemon=True)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-reader")

    def open(self) -> None:
        """Create or migrate the file. Raises sqlite3.Error."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._written = _connect(self._path)
        self._migrate(self._written)
        self._read = _connect(self._path)
        self._writer.start()

    def close(self) -> None:
        """Commit what was asked for, then close."""
        self._pending.put(None)
        self._writer.join()
        self._reader.shutdown()
        self._read.close()
        self._written.close()

    async def write(self, work: Work[T], *, durable: bool = True) -> T:
        """Run `work` in a transaction of its own; on return it is on the disk.

        What is not durable survives a crash of this process, but may not survive a power cut.

        `work` may be run twice, so it must have no effect but on the connection. When it raises, its
        changes are undone. Raises InsufficientStorage when the disk is full.
        """
        done: Future[T] = Future()
        self._pending.put(_Pending(work, done, durable))
        try:
            return await asyncio.wrap_future(done)
        except sqlite3.OperationalError as error:
            raise _explain(error) from error

    async def read(self, work: Work[T]) -> T:
        """Run `work` on what was last committed."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, work, self._read)

    def _write_all(self) -> None:
        more = True
        while more:
            first = self._pending.get()
            if first is None:
                return
            batch = [first]
            more = self._fill(batch)
            batch = [item for item in batch if item.done.set_running_or_notify_cancel()]
            for durable in (False, True):
                self._commit_together([item for item in batch if item.durable is durable], durable=durable)

    def _commit_together(self, batch: list[_Pending], *, durable: bool) -> None:
        if not batch:
            return
        self._written.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        try:
            self._commit(batch)
        except Exception:  # noqa: BLE001 - whatever one of them spoilt: then each alone
            self._undo()
            self._commit_each(batch)

    def _fill(self, batch: list[_Pending]) -> bool:
        """Add what else is waiting; False when that was the last."""
        try:
            while len(batch) < _MOST_IN_A_COMMIT:
                item = self._pending.get_nowait()
                if item is None:
                    return False
                batch.append(item)
        except Empty:
            pass
        return True

    def _commit(self, batch: list[_Pending]) -> None:
        self._written.execute("BEGIN IMMEDIATE")
        results = [item.work(self._written) for item in batch]
        self._written.execute("COMMIT")
        for item, result in zip(batch, results, strict=True):
            item.done.set_result(result)

    def _commit_each(self, batch: list[_Pending]) -> None:
        for item in batch:
            try:
                self._commit([item])
            except Exception as error:  # noqa: BLE001 - it belongs to whoever asked for this work
                self._undo()
                item.done.set_exception(error)

    def _undo(self) -> None:
        if self._written.in_transaction:
            self._written.execute("ROLLBACK")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 10000")
    connection.execute("PRAGMA cache_size = -512")  # KiB
    return connection


def _explain(error: sqlite3.OperationalError) -> Exception:
    # The lowest byte is the kind of error, the others say more about it.
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _STORAGE_ERRORS:
        return InsufficientStorage(f"It could not be written: {error}")
    return error
