"""The catalogue: which models there are, what their files are, and where they come from.

The shipped catalogue is `models.toml` beside this module (`configs/models.toml` shows it). The user's
catalogues come after it; a model of the same name replaces the shipped one.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, assert_never

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ai_semble.errors import FieldProblem
from ai_services.models.errors import CatalogueInvalid, UnknownModel
from ai_services.models.sources.reference import Kind, Reference, parse_reference

TREE = "*"
UNKNOWN = "unknown"
"""The licence of a model that names none."""
NAME_PATTERN = r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$"


class Task(StrEnum):
    """What a model is for; says which service opens it."""

    CHAT = "chat"
    OCR = "ocr"
    CLASSIFY = "classify"
    DETECT = "detect"
    FACES = "faces"
    SAFETY = "safety"
    EMBED = "embed"
    ENTITIES = "entities"
    SENTIMENT = "sentiment"
    LANGUAGE = "language"


def service_of(task: Task) -> str:
    """The service that answers a task."""
    match task:
        case Task.CHAT:
            return "llm"
        case Task.OCR | Task.CLASSIFY | Task.DETECT | Task.FACES | Task.SAFETY:
            return "vision"
        case Task.EMBED | Task.ENTITIES | Task.SENTIMENT | Task.LANGUAGE:
            return "nlp"
        case _:
            assert_never(task)


@dataclass(frozen=True)
class Alternative:
    """One way to get a file: its parts, joined in order (nearly always one)."""

    parts: tuple[Reference, ...]

    def __str__(self) -> str:
        return " + ".join(map(str, self.parts))


def _alternatives(value: object) -> object:
    """`"reference"`, `["reference", ...]` or `[{parts = [...]}, ...]` as a tuple of alternatives."""
    if isinstance(value, Mapping) or not isinstance(value, Sequence) or isinstance(value, str):
        value = [value]
    return tuple(item if isinstance(item, Alternative) else _alternative(item) for item in value)


def _alternative(value: object) -> Alternative:
    match value:
        case str():
            return Alternative((parse_reference(value),))
        case {"parts": [*texts], **others} if texts and not others:
            return Alternative(tuple(parse_reference(str(text)) for text in texts))
        case _:
            raise ValueError("a source is a text, a list of texts, or {parts = [...]}")


Sources = Annotated[tuple[Alternative, ...], BeforeValidator(_alternatives)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Entry(BaseModel):
    """A table of a catalogue."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class FileSpec(Entry):
    """One file of a model. Without a source it is made by the model's converter."""

    source: Sources = ()
    sha256: Sha256 | None = None
    size: int | None = Field(None, ge=0)

    @property
    def own(self) -> Path | None:
        """The file of this machine that this one is a copy of; None for what has to be fetched or unpacked."""
        match self.source:
            case (Alternative((Reference(Kind.FILE, place, "", None),)),) if not place.endswith("/"):
                return Path(place)
            case _:
                return None

    @model_validator(mode="after")
    def _plain_http_is_pinned(self) -> FileSpec:
        plain = [str(part) for way in self.source for part in way.parts if not part.is_encrypted]
        if plain and self.sha256 is None:
            raise ValueError(f"{plain[0]} is not encrypted, so its sha256 has to be given")
        return self


def _file(value: object) -> object:
    return {"source": value} if isinstance(value, str | list) else value


FileTable = Annotated[FileSpec, BeforeValidator(_file)]


class ModelSpec(Entry):
    """One model of a catalogue."""

    name: str = Field(pattern=NAME_PATTERN)
    task: Task
    title: str = ""
    languages: tuple[str, ...] = ()
    licence: str = UNKNOWN
    notice: str = ""
    default: bool = False
    convert: str = ""
    inputs: dict[str, FileTable] = {}
    files: dict[str, FileTable] = Field(min_length=1)
    settings: dict[str, Any] = {}

    @model_validator(mode="after")
    def _files_are_sound(self) -> ModelSpec:
        for name, spec in (*self.files.items(), *self.inputs.items()):
            _check_name(name)
            if not spec.source and not self.convert:
                raise ValueError(f"the file {name} has no source")
            if name.split("/")[-1] != TREE and any(part.is_tree for way in spec.source for part in way.parts):
                raise ValueError(f"the file {name} has a folder as its source; name it `{TREE}`")
        return self

    @property
    def service(self) -> str:
        return service_of(self.task)

    @property
    def size(self) -> int | None:
        """Bytes on disk, or None when the catalogue does not say."""
        sizes = [spec.size for spec in self.files.values()]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @cached_property
    def fingerprint(self) -> str:
        """Changes when the model's contents would: equal for an installed model that needs no new fetch."""
        facts = {
            "convert": self.convert,
            "settings": self.settings,
            "files": {name: spec.sha256 or list(map(str, spec.source)) for name, spec in self.files.items()},
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _check_name(name: str) -> None:
    parts = PurePosixPath(name).parts
    unsafe = name != "/".join(parts) or name.startswith("/") or ".." in parts or "\\" in name or not parts
    if unsafe or name == "manifest.json" or any(ord(character) < 32 for character in name):
        raise ValueError(f"`{name}` cannot be a file of a model")


@dataclass(frozen=True)
class Catalogue:
    """All models that are known, by name."""

    models: Mapping[str, ModelSpec]

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self.models.values())

    def __getitem__(self, name: str) -> ModelSpec:
        if name not in self.models:
            raise UnknownModel(f"no catalogue knows a model `{name}`")
        return self.models[name]

    def defaults(self) -> list[ModelSpec]:
        """The models that a plain `pull` fetches."""
        return [model for model in self if model.default]


def load_catalogue(paths: Iterable[Path] = ()) -> Catalogue:
    """The shipped catalogue and then those at `paths`. Raises CatalogueInvalid, naming file and key."""
    shipped = resources.files("ai_services.models").joinpath("models.toml")
    models = _parse(shipped.read_text(encoding="utf-8"), "the shipped catalogue", Path("/"))
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CatalogueInvalid(f"{path}: {error}") from error
        models |= _parse(text, str(path), path.parent)
    return Catalogue(models)


def _parse(text: str, origin: str, folder: Path) -> dict[str, ModelSpec]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogueInvalid(f"{origin}: {error}") from error
    tables = document.pop("models", {})
    if document or not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
        raise CatalogueInvalid(f"{origin}: every table has to be [models.NAME]")
    return {name: _model(name, table, origin, folder) for name, table in tables.items()}


def _model(name: str, table: dict[str, Any], origin: str, folder: Path) -> ModelSpec:
    try:
        model = ModelSpec.model_validate({"name": name, **_expanded(table)})
    except ValidationError as error:
        problems = [
            FieldProblem(".".join(["models", name, *map(str, item["loc"])]), item["msg"])
            for item in error.errors()
        ]
        sentence = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
        raise CatalogueInvalid(f"{origin}: {sentence}", fields=problems) from error
    return _anchored(model, folder)


def _expanded(table: dict[str, Any]) -> dict[str, Any]:
    """The short form (`source` in the model's own table) as the full one: the file that its engine opens."""
    if "source" not in table or "files" in table:
        return table
    own = {key: table[key] for key in ("source", "sha256", "size") if key in table}
    rest = {key: value for key, value in table.items() if key not in own}
    return {**rest, "files": {"model.gguf" if table.get("task") == Task.CHAT else "model.onnx": own}}


def _anchored(model: ModelSpec, folder: Path) -> ModelSpec:
    """The model with its `file:` sources made absolute: relative ones lie beside the catalogue."""

    def anchor(part: Reference) -> Reference:
        if part.kind is not Kind.FILE:
            return part
        place = str(folder.absolute() / Path(part.place).expanduser())
        return Reference(Kind.FILE, place + "/" * part.place.endswith("/"), part.member, part.span)

    def anchored(spec: FileSpec) -> FileSpec:
        ways = tuple(Alternative(tuple(map(anchor, way.parts))) for way in spec.source)
        return spec.model_copy(update={"source": ways})

    files = {name: anchored(spec) for name, spec in model.files.items()}
    inputs = {name: anchored(spec) for name, spec in model.inputs.items()}
    return model.model_copy(update={"files": files, "inputs": inputs})
