"""What is wrong with a workflow file, and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from typing import Any

Path = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Place:
    """A place in a file, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Fault:
    """One mistake. `code` is for programs; `field` is the path as in `steps.read.data.query`."""

    line: int
    column: int
    field: str
    code: str
    message: str
    hint: str = ""

    def document(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return f"line {self.line}: {self.field or 'the file'}: {self.message}"


@dataclass(frozen=True)
class Places:
    """Where each value of a document stands."""

    known: Mapping[Path, Place] = field(default_factory=dict)

    def of(self, path: Path) -> Place:
        """The place of a value, or of the nearest one that holds it."""
        while path and path not in self.known:
            path = path[:-1]
        return self.known.get(path, Place(1, 1))

    def fault(self, path: Path, code: str, message: str, hint: str = "") -> Fault:
        place = self.of(path)
        return Fault(place.line, place.column, dotted(path), code, message, hint)


def dotted(path: Path) -> str:
    return ".".join(map(str, path))


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names what was probably meant, or all that there is."""
    choices = sorted(known)
    close = get_close_matches(name, choices, 1)
    if close:
        return f"Did you mean `{close[0]}`?"
    return f"There is: {', '.join(choices)}." if choices else "There is none."
