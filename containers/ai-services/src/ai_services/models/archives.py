"""Takes members out of archives that others made: bounded in size and number, and never outside a folder.

Zip files (wheels are such) and tar files (npm packages, source archives) are told apart by their contents.
"""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from ai_services.models.errors import UnsafeArchive
from ai_services.models.files import CHUNK

MOST_MEMBERS = 100_000
LONGEST_MEMBER = 64 * 1024**3
EXPANSION = 50  # a tar file may grow to so many times its size ...
ALLOWANCE = 64 * 1024**2  # ... plus this; weights hardly shrink at all, bombs a thousandfold
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True)
class Wanted:
    """A member, or with a name that ends in `/` everything below it, and the length that it may have."""

    name: str
    longest: int = LONGEST_MEMBER


def extract(archive: Path, wanted: Iterable[Wanted], folder: Path) -> dict[str, Path]:
    """Unpack the wanted members into `folder`, in one pass; returns where each one that was found is.

    A member becomes a file, a `name/` a folder. Raises UnsafeArchive.
    """
    unpacking = _Unpacking({item.name: item for item in wanted}, folder)
    try:
        for name, is_file, size, source in _members(archive):
            unpacking.offer(name, is_file, size, source)
    except DAMAGED as error:
        raise UnsafeArchive(f"{archive.name} is damaged: {error}") from error
    return unpacking.found


class _Unpacking:
    def __init__(self, wanted: Mapping[str, Wanted], folder: Path) -> None:
        self.found: dict[str, Path] = {}
        self._wanted = wanted
        self._folder = folder

    def offer(self, name: str, is_file: bool, size: int, source: _Source) -> None:
        """Write the member to every place where it is wanted."""
        for index, (key, item) in enumerate(sorted(self._wanted.items())):
            place = self._folder / str(index)
            if name == key and is_file:
                self._write(source, place, size, item.longest)
                self.found[key] = place
            elif key.endswith("/") and name.startswith(key) and name != key:
                if not is_file:
                    if name.endswith("/"):
                        continue
                    raise UnsafeArchive(f"`{name}` is a link or a device, not a file")
                self._write(source, place / safe_name(name[len(key) :]), size, item.longest)
                self.found[key] = place

    def _write(self, source: _Source, place: Path, size: int, longest: int) -> None:
        if size > longest:
            raise UnsafeArchive(f"a member has {size} bytes where {longest} are expected")
        place.parent.mkdir(parents=True, exist_ok=True)
        left = longest
        with source.open() as reader, place.open("wb") as writer:
            while chunk := reader.read(CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise UnsafeArchive(f"a member is longer than the {longest} bytes that are expected")
                writer.write(chunk)


def safe_name(name: str) -> str:
    """The name of a member, if it stays below its folder. Raises UnsafeArchive."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or any(ord(c) < 32 for c in name):
        raise UnsafeArchive(f"`{name}` leaves the folder that it is unpacked to")
    return "/".join(parts)


class _Source:
    """Opens one member for reading, when it is wanted."""

    def __init__(self, archive: zipfile.ZipFile | tarfile.TarFile, member: zipfile.ZipInfo | tarfile.TarInfo):
        self._archive = archive
        self._member = member

    def open(self) -> IO[bytes]:
        if isinstance(self._archive, zipfile.ZipFile):
            return self._archive.open(cast(zipfile.ZipInfo, self._member))
        reader = self._archive.extractfile(cast(tarfile.TarInfo, self._member))
        if reader is None:
            raise UnsafeArchive(f"`{self._member}` is not a file")
        return reader


def _members(archive: Path) -> Iterator[tuple[str, bool, int, _Source]]:
    """Name, whether it is an ordinary file, length, and how to read it, of every member."""
    if _starts_with(archive, b"PK\x03\x04"):
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                _count(len(opened.filelist))
                yield info.filename, not info.is_dir(), info.file_size, _Source(opened, info)
        return
    with _tar(archive) as tar:
        for number, entry in enumerate(iter(tar.next, None)):
            _count(number)
            tar.members.clear()  # type: ignore[attr-defined]  # it would keep every header it has read
            name = f"{entry.name}/" if entry.isdir() else entry.name
            yield name, entry.isreg(), entry.size, _Source(tar, entry)


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _count(number: int) -> None:
    if number > MOST_MEMBERS:
        raise UnsafeArchive(f"the archive has more than {MOST_MEMBERS} members")


@contextmanager
def _tar(archive: Path) -> Iterator[tarfile.TarFile]:
    """A tar file, compressed or not, that may be read once from front to back."""
    inflate = zlib.decompressobj(wbits=31) if _starts_with(archive, b"\x1f\x8b") else None
    with archive.open("rb") as raw:
        limited = _Limited(archive, inflate, raw)
        with tarfile.open(fileobj=cast(IO[bytes], limited), mode="r|", bufsize=CHUNK) as tar:
            yield tar


class _Limited:
    """The decompressed bytes of a file, up to a limit that no honest archive reaches."""

    def __init__(self, archive: Path, inflate: zlib._Decompress | None, raw: IO[bytes]) -> None:
        self._inflate = inflate
        self._raw = raw
        self._left = archive.stat().st_size * EXPANSION + ALLOWANCE

    def read(self, size: int) -> bytes:
        data = self._raw.read(size) if self._inflate is None else self._inflated(self._inflate, size)
        self._left -= len(data)
        if self._left < 0:
            raise UnsafeArchive("the archive grows out of all proportion")
        return data

    def _inflated(self, inflate: zlib._Decompress, size: int) -> bytes:
        data = b""
        while not data and not inflate.eof:
            compressed = inflate.unconsumed_tail or self._raw.read(CHUNK)
            data = inflate.decompress(compressed, size)
            if not compressed and not data:
                raise EOFError("it ends too early")
        return data
