"""What is installed: one folder a model, with its files and a manifest.

    <models>/<name>/manifest.json   what the model is and the sha256 and size of every file
    <models>/<name>/...             its files, with licence and notice
    <models>/.work/<name>/          a fetch under way; <models>/.work/<name>.lock guards it

Finding a model reads its manifest and looks at file sizes; `verify`, before it is opened, reads everything.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ai_services.models.catalogue import NAME_PATTERN, UNKNOWN, Task, service_of
from ai_services.models.errors import ModelDamaged, ModelNotInstalled
from ai_services.models.files import FileFacts, facts_of
from ai_services.models.locks import exclusive

MANIFEST = "manifest.json"
WORK = ".work"


class FileEntry(BaseModel):
    """One installed file and the source that it came from."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sha256: str
    size: int
    source: str = ""


class Manifest(BaseModel):
    """What is known about an installed model. Unknown keys are those of a newer version, and ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    task: Task
    title: str = ""
    languages: tuple[str, ...] = ()
    licence: str = UNKNOWN
    notice: str = ""
    convert: str = ""
    settings: dict[str, Any] = {}
    fingerprint: str = ""
    fetched: datetime
    files: dict[str, FileEntry]

    @property
    def service(self) -> str:
        return service_of(self.task)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(entry.size for entry in self.files.values())


@dataclass(frozen=True)
class InstalledModel:
    """A model that can be opened: `files` are absolute paths by their names in the manifest."""

    name: str
    task: Task
    dir: Path
    files: Mapping[str, Path]
    manifest: Manifest


@dataclass(frozen=True)
class ModelStore:
    """The models folder."""

    models_dir: Path

    def installed(self, name: str) -> InstalledModel:
        """The model of this name. Raises ModelNotInstalled, and ModelDamaged when a file is gone or cut."""
        model = self.find(name)
        if model is None:
            raise ModelNotInstalled(name)
        for file, entry in model.manifest.files.items():
            if not model.files[file].is_file() or model.files[file].stat().st_size != entry.size:
                raise _damaged(name, f"{file} is missing or has the wrong length")
        return model

    def find(self, name: str) -> InstalledModel | None:
        """The model of this name, or None. Raises ModelDamaged when its manifest cannot be read."""
        folder = self.folder(name)
        try:
            manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValidationError) as error:
            raise _damaged(name, "its manifest cannot be read") from error
        files = {file: folder / file for file in manifest.files}
        return InstalledModel(name, manifest.task, folder, files, manifest)

    def verify(self, name: str) -> None:
        """Read every file of a model, a second or so for each GB. Raises ModelNotInstalled, and ModelDamaged
        unless all are what was installed.
        """
        for problem in self.problems(name):
            raise _damaged(name, problem)

    def names(self) -> list[str]:
        """Names of all installed models."""
        return sorted(path.parent.name for path in self.models_dir.glob(f"[!.]*/{MANIFEST}"))

    def problems(self, name: str) -> Iterator[str]:
        """Read every file of a model and tell what is not as it was installed. Raises ModelNotInstalled."""
        model = self.find(name)
        if model is None:
            raise ModelNotInstalled(name)
        for file, entry in model.manifest.files.items():
            try:
                found = facts_of(model.files[file])
            except FileNotFoundError:
                yield f"{file} is missing"
                continue
            except OSError as error:
                yield f"{file} cannot be read: {error.strerror}"
                continue
            if found != FileFacts(entry.sha256, entry.size):
                yield f"{file} has sha256 {found.sha256[:12]}..., installed was {entry.sha256[:12]}..."

    def remove(self, name: str) -> int:
        """Delete a model, and what a broken-off fetch of it left; returns the bytes of its files.

        Raises ModelNotInstalled when there is neither.
        """
        if not self.folder(name).exists() and not self.work(name).exists():
            raise ModelNotInstalled(name, "See which are with: ./scripts/deploy.sh models list")
        with self.locked(name, lambda: None):
            size = sum(path.stat().st_size for path in self.folder(name).rglob("*") if path.is_file())
            self.discard(self.folder(name))
            shutil.rmtree(self.work(name), ignore_errors=True)
            return size

    def publish(self, name: str, staged: Path) -> None:
        """Make a complete folder the model of this name, in one step, in place of an older one."""
        self.discard(self.folder(name))
        staged.rename(self.folder(name))

    def discard(self, folder: Path) -> None:
        """Take a folder out of sight in one step, then delete it."""
        if folder.exists():
            doomed = self.models_dir / WORK / f"{folder.name}.old"
            doomed.parent.mkdir(exist_ok=True)
            shutil.rmtree(doomed, ignore_errors=True)
            folder.rename(doomed)
            shutil.rmtree(doomed)

    def folder(self, name: str) -> Path:
        """Where a model of this name is or would be. Raises ModelNotInstalled for what cannot be a name."""
        if not re.fullmatch(NAME_PATTERN, name):
            raise ModelNotInstalled(name)
        return self.models_dir / name

    def work(self, name: str) -> Path:
        """Where a fetch of the model keeps what it has so far."""
        return self.models_dir / WORK / name

    def locked(self, name: str, when_busy: Callable[[], None]) -> AbstractContextManager[None]:
        """Keep other processes from fetching or removing this model."""
        return exclusive(self.models_dir / WORK / f"{name}.lock", when_busy)


def _damaged(name: str, why: str) -> ModelDamaged:
    return ModelDamaged(
        f"the model `{name}` is damaged: {why}",
        hint=f"Fetch it again with: ./scripts/deploy.sh models pull --force {name}",
    )
