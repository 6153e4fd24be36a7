"""Writing, hashing and checking files."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ai_services.models.errors import DiskFull
from ai_services.models.progress import in_words

CHUNK = 1024 * 1024
FULL = (errno.ENOSPC, errno.EDQUOT)
FreeSpace = Callable[[Path], int]


@dataclass(frozen=True)
class FileFacts:
    """What identifies a file's contents."""

    sha256: str
    size: int


def facts_of(path: Path) -> FileFacts:
    """The facts of a file, by reading it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return FileFacts(digest.hexdigest(), file.tell())


def tree_facts(files: Mapping[str, FileFacts]) -> FileFacts:
    """Facts of a folder: the digest of the text that `sha256sum` would print for its files, by name."""
    lines = "".join(f"{files[name].sha256}  {name}\n" for name in sorted(files))
    return FileFacts(hashlib.sha256(lines.encode()).hexdigest(), sum(facts.size for facts in files.values()))


def files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder with its relative name, in order of name."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(folder).as_posix(), path


def free_bytes(folder: Path) -> int:
    """Free bytes for an ordinary user on the file system of a folder that need not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def require_space(folder: Path, needed: int, free: FreeSpace, called: str) -> None:
    """Raise DiskFull, with what people call the folder, when less than `needed` bytes are free."""
    available = free(folder)
    if available < needed:
        raise DiskFull(f"{in_words(needed)} are needed in {called}, {in_words(available)} are free")


@contextmanager
def full_disk_is_told(folder: Path) -> Iterator[None]:
    """Turn the system's "no space left on device" into DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DiskFull(f"the disk of {folder} is full") from error


def copy_stream(source: IO[bytes], target: IO[bytes], advance: Callable[[int], None] | None = None) -> int:
    """Copy to the end; returns how many bytes that were."""
    copied = 0
    while chunk := source.read(CHUNK):
        target.write(chunk)
        copied += len(chunk)
        if advance:
            advance(len(chunk))
    return copied


def sync(folder: Path) -> None:
    """Make files and names below a folder survive a power cut."""
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
