"""The datasets of an environment: files in one folder, `<name>.<ending>`.

The folder is the truth: a file copied there by hand is a dataset too. Where a name has two files (which
happens only between the two steps of a replacement in another format, or by hand) the newest counts. What
was found out about a file is kept in `.readings` and is only a cache. `.work` holds the folders of running
jobs; being on the same disk, a finished file gets its name by a rename, and a job gets a file by a link
that outlives its deletion.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import orjson

from ai_semble.room import Room
from data_processor.datasets.disk import on_disk
from data_processor.datasets.formats import Kind, split_name
from data_processor.datasets.names import check_name, is_name, normal
from data_processor.datasets.regular import check_regular, flush, regular_in
from data_processor.errors import DatasetExists, UnknownDataset

_WORK, _READINGS = ".work", ".readings"


@dataclass(frozen=True)
class StoredFile:
    """A dataset's file. `version` changes whenever its content may have."""

    name: str
    path: Path
    kind: Kind
    bytes: int
    modified_ns: int
    inode: int

    @property
    def version(self) -> str:
        return f"{self.inode}-{self.bytes}-{self.modified_ns}"

    @property
    def created(self) -> str:
        moment = datetime.fromtimestamp(self.modified_ns / 1e9, UTC)
        return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

    def summary(self) -> dict[str, Any]:
        """As `ai_semble.schemas.data_answers.Dataset`."""
        return {
            "name": self.name,
            "format": self.kind.format,
            "compression": self.kind.compression,
            "bytes": self.bytes,
            "created": self.created,
        }


class DatasetStore:
    """The only one that touches the folder. Methods block, and may be called from any thread."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._folder = room.folder
        self._changing = threading.Lock()

    def open(self) -> None:
        """Make the folders, and remove what a killed service left behind."""
        with on_disk():
            shutil.rmtree(self._folder / _WORK, ignore_errors=True)
            for folder in (self._folder, self._folder / _WORK, self._folder / _READINGS):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def job_folder(self) -> Iterator[Path]:
        """A new folder on the disk of the datasets; removed with its content at the end."""
        folder = self.make_job_folder()
        try:
            yield folder
        finally:
            self.remove_job_folder(folder)

    def make_job_folder(self) -> Path:
        with on_disk():
            return Path(tempfile.mkdtemp(prefix="job-", dir=self._folder / _WORK))

    def remove_job_folder(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def all(self) -> list[StoredFile]:
        """By name."""
        newest: dict[str, StoredFile] = {}
        for file in self._files():
            known = newest.get(file.name)
            if known is None or known.modified_ns < file.modified_ns:
                newest[file.name] = file
        return sorted(newest.values(), key=lambda file: file.name)

    def find(self, name: str) -> StoredFile:
        """Raises UnknownDataset, with names that are close."""
        files = {file.name: file for file in self.all()}
        if name not in files:
            close = get_close_matches(name, files, n=3, cutoff=0.6)
            meant = f" Did you mean {' or '.join(f'`{other}`' for other in close)}?" if close else ""
            raise UnknownDataset(f"There is no dataset `{name[:100]}`.{meant}")
        return files[name]

    def check_free(self, name: str, *, replace: bool) -> None:
        """Raises InvalidDatasetName, DatasetExists."""
        check_name(name)
        if not replace and any(file.name == name for file in self._files()):
            raise DatasetExists(f"There is a dataset `{name}` already")

    def commit(self, file: Path, name: str, kind: Kind, *, replace: bool) -> StoredFile:
        """Give a finished file, from a job's folder, its name. Raises DatasetExists, InsufficientStorage,
        OperationCrashed when it is no file."""
        target = self._folder / f"{name}.{kind.ending}"
        with on_disk(), self._changing:
            self.check_free(name, replace=replace)
            self.room.check()
            flush(check_regular(file))
            os.utime(file, follow_symlinks=False)
            file.replace(target)
            for other in self._files():
                if other.name == name and other.path != target:
                    other.path.unlink(missing_ok=True)
            flush(self._folder)
        return self.find(name)

    def delete(self, name: str) -> None:
        """Raises UnknownDataset. Jobs that read it go on."""
        with self._changing:
            self.find(name)
            for file in list(self._files()):
                if file.name == name:
                    file.path.unlink(missing_ok=True)
            self._reading_file(name).unlink(missing_ok=True)
            self._prepared_file(name).unlink(missing_ok=True)

    def lend(self, name: str, folder: Path) -> dict[str, Any]:
        """Link a dataset into a job's folder; answers a worker's question. Raises UnknownDataset."""
        file = self.find(name)
        known = self.known_reading(file)
        source = self._prepared_file(name) if known and known["prepared"] else file.path
        link = folder / f"dataset-{len(list(folder.iterdir()))}.{source.name.partition('.')[2]}"
        try:
            os.link(source, link)
        except FileNotFoundError as error:
            raise UnknownDataset(f"The dataset `{name}` has just been deleted") from error
        return {
            "file": link.name,
            "format": file.kind.format,
            "compression": file.kind.compression,
            "version": file.version,
            "reading": known,
        }

    # What was found out about files.

    def known_reading(self, file: StoredFile) -> dict[str, Any] | None:
        """How this very file is read, if that was found out already."""
        try:
            kept = orjson.loads(self._reading_file(file.name).read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return None
        if kept["version"] != file.version:
            return None
        reading: dict[str, Any] = kept["reading"]
        if reading["prepared"] and not self._prepared_file(file.name).exists():
            return None
        return reading

    def keep_reading(self, name: str, version: str, found: Mapping[str, Any], folder: Path) -> None:
        """Keep what a worker found out about a file, and the copy it prepared in its folder.

        Raises OperationCrashed when the copy is no file there.
        """
        with on_disk(), self._changing:
            if found["prepared"]:
                regular_in(folder, found["prepared"]).replace(self._prepared_file(name))
            draft = self._folder / _READINGS / "draft"  # not in the worker's folder, where a link may wait
            draft.write_bytes(orjson.dumps({"version": version, "reading": found["reading"]}))
            draft.replace(self._reading_file(name))

    def _reading_file(self, name: str) -> Path:
        return self._folder / _READINGS / f"{name}.json"

    def _prepared_file(self, name: str) -> Path:
        return self._folder / _READINGS / f"{name}.parquet"

    def _files(self) -> Iterator[StoredFile]:
        with os.scandir(self._folder) as entries:
            listed = list(entries)
        for entry in listed:
            found = split_name(entry.name)
            if entry.name.startswith(".") or found is None or not entry.is_file(follow_symlinks=False):
                continue
            name, kind = normal(found[0]), found[1]
            if is_name(name):
                facts = entry.stat(follow_symlinks=False)
                yield StoredFile(name, Path(entry.path), kind, facts.st_size, facts.st_mtime_ns, facts.st_ino)
