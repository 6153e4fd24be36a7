"""Fetches models into the store: says how much it will be, checks the disk, fetches, publishes.

plan      which models are missing, what their sources are, how many bytes
fetch     one model after the other, each under its lock, each published only when whole
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ai_semble.errors import AiSembleError
from ai_services.models.assembly import Assembly, place_of
from ai_services.models.catalogue import UNKNOWN, ModelSpec
from ai_services.models.download import Downloader, fetched
from ai_services.models.errors import (
    DiskFull,
    FolderUnusable,
    ModelDamaged,
    ModelNotInstalled,
    SourceUnavailable,
)
from ai_services.models.files import FileFacts, FreeSpace, free_bytes, require_space, sync
from ai_services.models.progress import Reporter, in_words
from ai_services.models.sources.reference import Kind, Reference
from ai_services.models.sources.remote import Local
from ai_services.models.sources.resolve import Resolver
from ai_services.models.store import MANIFEST, FileEntry, Manifest, ModelStore

Failures = dict[str, AiSembleError]


@dataclass(frozen=True)
class PlannedModel:
    """A model to fetch: bytes over the network, those of them that are here already, and bytes on disk afterwards.

    Unknown sizes count as 0.
    """

    model: ModelSpec
    download: int
    there: int
    installed: int


@dataclass
class Puller:
    """Fetches models. `free` tells the free bytes of a folder's disk, `place` what people call the folder."""

    store: ModelStore
    report: Reporter
    resolver: Resolver = field(default_factory=Resolver)
    free: FreeSpace = free_bytes
    pause: float = 0.5
    place: str = ""

    def pull(self, models: Iterable[ModelSpec], *, force: bool = False) -> list[str]:
        """Fetch those of the models that are not installed as the catalogue has them; returns their names.

        One model's failure does not keep the others from being fetched; it is raised at the end.
        """
        wanted = [model for model in models if force or not self.is_current(model)]
        if not wanted:
            self.report.say("All of these models are installed.")
            return []
        started = time.monotonic()
        failures: Failures = {}
        planned = list(self._plan(wanted, failures))
        if planned:
            self._announce(planned)
        fetched = [item.model.name for item in planned if self._attempt(item.model, force, failures)]
        if failures:
            raise _in_one(failures)
        self.report.say(f"Fetched {counted(fetched)} in {time.monotonic() - started:.1f} s.")
        return fetched

    def is_current(self, model: ModelSpec) -> bool:
        """Whether the model is installed, whole, and from the same catalogue entry."""
        try:
            return self.store.installed(model.name).manifest.fingerprint == model.fingerprint
        except (ModelNotInstalled, ModelDamaged):
            return False

    def _attempt(self, model: ModelSpec, force: bool, failures: Failures) -> bool:
        """Fetch one model; its own failure is noted, a full disk or an unusable folder ends the pull."""
        try:
            self._fetch(model, force)
        except DiskFull:
            raise
        except AiSembleError as error:
            self.report.warn(f"  {model.name} failed: {error.detail}")
            failures[model.name] = error
            return False
        except OSError as error:
            raise FolderUnusable(f"{self.store.models_dir}: {error}") from error
        return True

    def _plan(self, models: list[ModelSpec], failures: Failures) -> Iterator[PlannedModel]:
        self.report.say(f"Asking the sources of {counted(models)} ...")
        for model in models:
            try:
                yield self._plan_one(model)
            except SourceUnavailable as error:
                failures[model.name] = error

    def _plan_one(self, model: ModelSpec) -> PlannedModel:
        """Resolve the sources of every file; raises SourceUnavailable when one file has none."""
        parts: dict[tuple[Kind, str], tuple[int, int, int]] = {}
        failed: list[str] = []
        for name, spec in (*model.inputs.items(), *model.files.items()):
            reasons: list[str] = []
            for way in spec.source:
                try:
                    parts |= {(part.kind, part.place): self._bytes(model, part) for part in way.parts}
                    break
                except SourceUnavailable as error:
                    reasons.append(error.detail)
            else:
                if spec.source:
                    raise SourceUnavailable(f"{model.name}: {name}: {'; '.join(reasons)}", reasons=reasons)
            failed += reasons
        for reason in dict.fromkeys(failed):
            self.report.warn(f"{model.name}: {reason}; another source has it")
        size, download, there = (sum(amounts) for amounts in zip((0, 0, 0), *parts.values(), strict=True))
        return PlannedModel(model, download, there, model.size if model.size is not None else size)

    def _bytes(self, model: ModelSpec, part: Reference) -> tuple[int, int, int]:
        """Of a part: its size, what of it comes over the network, and what an earlier pull has left of that."""
        resolved = self.resolver.resolve(part)
        size = resolved.size or 0
        if isinstance(resolved, Local):
            return size, 0, 0
        return size, size, min(size, fetched(place_of(self.store.work(model.name), part, resolved)))

    def _announce(self, planned: list[PlannedModel]) -> None:
        """Say how much will be fetched; raise DiskFull when it would not fit."""
        download = sum(item.download for item in planned)
        there = sum(item.there for item in planned)
        installed = sum(item.installed for item in planned)
        of_all = f" ({in_words(there)} of {in_words(download)} are there)" if there else ""
        names = ", ".join(item.model.name for item in planned)
        place = self.place or str(self.store.models_dir)
        self.report.say(
            f"Fetching {names}: {in_words(download - there)} to download{of_all}, "
            f"{in_words(installed)} on disk, into {place}"
        )
        # While a model is put together, its archive, what was unpacked of it and the result exist at once.
        at_once = max((item.download + item.installed for item in planned if item.download), default=0)
        kept = sum(path.stat().st_size for path in self.store.work("").rglob("*") if path.is_file())
        require_space(self.store.models_dir, max(installed + at_once - kept, 0), self.free, place)

    def _fetch(self, model: ModelSpec, force: bool) -> None:
        self.store.models_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        busy = f"Another pull is fetching {model.name}; waiting for it ..."
        with self.store.locked(model.name, lambda: self.report.say(busy)):
            if not force and self.is_current(model):
                return
            started = time.monotonic()
            self.report.say(model.name if model.licence == UNKNOWN else f"{model.name} ({model.licence})")
            work = self.store.work(model.name)
            downloader = Downloader(self.resolver.client, self.report, self.pause)
            assembly = Assembly(model, work, self.resolver, downloader, self.report)
            facts = assembly.build()
            _write_manifest(assembly.model, assembly.staged, facts, assembly.sources)
            sync(assembly.staged)
            self.store.publish(model.name, assembly.staged)
            shutil.rmtree(work, ignore_errors=True)
            size = sum(item.size for item in facts.values())
            self.report.say(
                f"  installed: {len(facts)} files, {in_words(size)}, {time.monotonic() - started:.1f} s"
            )


def _in_one(failures: Failures) -> AiSembleError:
    """One error for the user: the only one, or all of them with each reason said once."""
    errors = list(failures.values())
    missing = [error for error in errors if isinstance(error, SourceUnavailable)]
    if len(errors) == 1 or len(missing) < len(errors):
        return next(error for error in errors if error not in missing or len(errors) == 1)
    reasons = dict.fromkeys(reason for error in missing for reason in error.reasons)
    names = ", ".join(failures) if len(failures) < 4 else counted(failures)
    return SourceUnavailable(f"{names} could not be fetched: {'; '.join(reasons)}")


def counted(models: Sized) -> str:
    """`1 model`, `2 models`."""
    return f"{len(models)} model{'s' if len(models) != 1 else ''}"


def _write_manifest(
    model: ModelSpec, folder: Path, facts: dict[str, FileFacts], sources: dict[str, str]
) -> None:
    manifest = Manifest(
        **model.model_dump(
            include={"name", "task", "title", "languages", "licence", "notice", "convert", "settings"}
        ),
        fingerprint=model.fingerprint,
        fetched=datetime.now(UTC).replace(microsecond=0),
        files={
            name: FileEntry(sha256=found.sha256, size=found.size, source=sources.get(name, ""))
            for name, found in facts.items()
        },
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
