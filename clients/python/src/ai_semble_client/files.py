"""Files that are sent and received as streams."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ai_semble_client.errors import UnusableFile
from ai_semble_client.sending import PIECE_BYTES, Progress


@contextmanager
def pieces_of(path: Path, progress: Progress | None = None) -> Iterator[tuple[Iterator[bytes], int]]:
    """The content of a file piece by piece, and its length."""
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        yield _pieces(file, size, progress), size


@contextmanager
def appearing(to: str | Path | BinaryIO) -> Iterator[BinaryIO]:
    """Where to write; a file of that name is there only when all was written."""
    if not isinstance(to, str | Path):
        yield to
        return
    path = Path(to)
    new = path.with_name(f".{path.name}.part")
    try:
        with new.open("wb") as file:
            yield file
        new.replace(path)
    except OSError as error:
        raise UnusableFile(f"{path} cannot be written: {error.strerror}", "Choose another place.") from error
    finally:
        new.unlink(missing_ok=True)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise UnusableFile(
            f"{path} cannot be read: {error.strerror}", "Give a file that you may read."
        ) from error


def _pieces(file: BinaryIO, size: int, progress: Progress | None) -> Iterator[bytes]:
    done = 0
    while piece := file.read(min(PIECE_BYTES, size - done)):
        yield piece
        done += len(piece)
        if progress:
            progress(done, size)
