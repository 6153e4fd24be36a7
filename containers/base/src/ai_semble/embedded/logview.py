"""Shows the services' log files: the last lines of all in order of time, then what is added."""

from __future__ import annotations

import heapq
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import BinaryIO

from ai_semble.loglines import Line

_POLL_S = 0.2


def last_lines(folder: Path, services: Iterable[str], count: int) -> list[Line]:
    """The newest lines of these services, oldest first. Lines without a time stay behind the one before."""
    logs = [_timed(folder, service, count) for service in services]
    merged = [line for _, line in heapq.merge(*logs, key=lambda pair: pair[0])]
    return merged[-count:] if count else []


def _timed(folder: Path, service: str, count: int) -> list[tuple[str, Line]]:
    lines: deque[str] = deque(maxlen=count)
    for path in (folder / f"{service}.log.1", folder / f"{service}.log"):
        if path.exists():
            with path.open(encoding="utf-8", errors="replace") as file:
                lines.extend(text.rstrip("\n") for text in file)
    timed, newest = [], ""
    for raw in lines:
        line = Line.parse(service, raw)
        newest = max(newest, line.time)
        timed.append((newest, line))
    return timed


class Follower:
    """Reads what is added to one log file, also across its rotation."""

    def __init__(self, folder: Path, service: str) -> None:
        self._path = folder / f"{service}.log"
        self._service = service
        self._rest = b""
        self._file: BinaryIO | None = self._open()
        if self._file is not None:
            self._file.seek(0, os.SEEK_END)

    def new_lines(self) -> Iterator[Line]:
        """Lines since the last call."""
        if self._file is None:
            self._file = self._open()
        if self._file is None:
            return
        yield from self._read(self._file)
        if self._was_rotated(self._file):
            yield from self._read(self._file)  # written between the two looks
            self._file.close()
            self._file = self._open()
            if self._file is not None:
                yield from self._read(self._file)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _read(self, file: BinaryIO) -> Iterator[Line]:
        *lines, self._rest = (self._rest + file.read()).split(b"\n")
        for line in lines:
            yield Line.parse(self._service, line.decode("utf-8", "replace"))

    def _open(self) -> BinaryIO | None:
        try:
            return self._path.open("rb")
        except FileNotFoundError:
            return None

    def _was_rotated(self, file: BinaryIO) -> bool:
        try:
            return self._path.stat().st_ino != os.fstat(file.fileno()).st_ino
        except FileNotFoundError:
            return True


def follow(folder: Path, services: Iterable[str], show: Callable[[Line], None]) -> None:
    """Show new lines until interrupted."""
    with ExitStack() as stack:
        followers = [stack.enter_context(closing(Follower(folder, service))) for service in services]
        while True:
            found = [line for follower in followers for line in follower.new_lines()]
            for line in sorted(found, key=lambda line: line.time):
                show(line)
            time.sleep(_POLL_S)
