# Copied by scripts/lib/vendor.py; do not edit.
"""Reads a workflow file, YAML 1.2 (so JSON, too) or TOML, and remembers where each value stands.

YAML is read event by event, with a bound on its depth and without anchors: a file of some bytes could otherwise
name itself into gigabytes. Scalars are those of YAML 1.2's core schema, so `no` is a word and not false.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Literal

import yaml

from ai_semble_client.flow.faults import Fault, Path, Place, Places, dotted

Format = Literal["yaml", "toml"]
MOST_BYTES = 256 * 1024
DEEPEST = 40
_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE, _FALSE = re.compile(r"true|True|TRUE"), re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}")
# JSON has numbers of 64 bits; what is longer is a text.
_TOO_LARGE = 2**63
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
_TOML_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)|\(at end of document\)")
_TOML_TABLE = re.compile(r"\s*+\[(\[?)\s*+([^\[\]]++)\]")
_TOML_KEY = re.compile(r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_TOML_PART = r"(?:(?<![\w-])[\w-]++|\"(?:[^\"\\\n]|\\.)*+\"|'[^'\n]*+')"
# tomllib's memory grows with the square of the parts.
_TOML_TOO_DEEP = re.compile(rf"(?:{_TOML_PART}[ \t]*+\.[ \t]*+){{{DEEPEST}}}")
_TOML_NAME = re.compile(r"[\w-]+|\"[^\"]*\"|'[^']*'")


class Unreadable(Exception):
    """The text is not a file that this module reads; `fault` says where it ends to be one."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True)
class Source:
    """A file's content, and where each of its values stands."""

    document: Any
    places: Places


def read(text: bytes, form: Format) -> Source:
    """Raises Unreadable."""
    if len(text) > MOST_BYTES:
        raise _unreadable(Place(1, 1), f"the file has more than {MOST_BYTES:,} bytes")
    try:
        words = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        raise _unreadable(Place(line, 1), "this is not UTF-8") from error
    return _toml(words) if form == "toml" else _Yaml(words).read()


def form_of(name: str) -> Format:
    """By a file's name, or by a content type."""
    return "toml" if name.lower().endswith("toml") else "yaml"


def _unreadable(place: Place, message: str, hint: str = "", path: Path = ()) -> Unreadable:
    return Unreadable(Fault(place.line, place.column, dotted(path), "unreadable", message, hint))


class _Yaml:
    def __init__(self, text: str) -> None:
        self._text = text
        self._places: dict[Path, Place] = {}
        self._events: Iterator[Any] = iter(())

    def read(self) -> Source:
        try:
            self._events = yaml.parse(self._text, Loader=yaml.CSafeLoader)
            next(self._events)
            if isinstance(first := next(self._events), yaml.StreamEndEvent):
                raise _unreadable(_place(first), "the file is empty")
            document = self._value(next(self._events), (), 0)
            next(self._events)
            if not isinstance(more := next(self._events), yaml.StreamEndEvent):
                raise _unreadable(_place(more), "there is a second document", "Leave out `---`.")
        except yaml.MarkedYAMLError as error:
            raise _unreadable(_marked(error), _words(error), _yaml_hint(self._text, error)) from error
        except yaml.YAMLError as error:
            raise _unreadable(Place(1, 1), f"this is not YAML: {error}") from error
        return Source(document, Places(self._places))

    def _value(self, event: Any, path: Path, depth: int) -> Any:
        if path not in self._places:
            self._places[path] = _place(event)
        if depth > DEEPEST:
            raise _unreadable(_place(event), f"values are nested more than {DEEPEST} deep", path=path)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _unreadable(_place(event), "anchors and aliases are not read", "Write it out.", path)
        if event.tag is not None and not event.tag.startswith("tag:yaml.org,2002:str"):
            raise _unreadable(_place(event), f"the tag {event.tag} is not read", "Leave it out.", path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        return event.value if event.tag or not event.implicit[0] else _scalar(event.value)

    def _mapping(self, path: Path, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                raise _unreadable(_place(key), "a name has to be a text", _BRACES, path)
            name = key.value
            if name in made:
                raise _unreadable(_place(key), f"`{name}` is given twice", "Keep one.", (*path, name))
            self._places[*path, name] = _place(key)
            made[name] = self._value(next(self._events), (*path, name), depth + 1)
        return made

    def _sequence(self, path: Path, depth: int) -> list[Any]:
        made: list[Any] = []
        while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
            made.append(self._value(item, (*path, len(made)), depth + 1))
        return made


_BRACES = "A reference with `: ` in it, or inside `{ }` and `[ ]`, has to stand in quotes: `'${{ ... }}'`."


def _scalar(text: str) -> Any:
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text[0] in "tT"
    if _INTEGER.fullmatch(text):
        number = int(text)
        return number if abs(number) < _TOO_LARGE else text
    if _FLOAT.fullmatch(text):
        real = float(text)
        return real if abs(real) != float("inf") else text
    return text


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _marked(error: Any) -> Place:
    mark = error.problem_mark or error.context_mark
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


def _words(error: Any) -> str:
    context = f"{error.context}: " if error.context else ""
    return f"this is not YAML: {context}{error.problem}"


def _yaml_hint(text: str, error: Any) -> str:
    lines = text.splitlines()
    line = lines[min(_marked(error).line, len(lines)) - 1] if lines else ""
    if "\t" in line:
        return "YAML is indented with spaces; there is a tab in this line."
    return (
        _BRACES
        if "${{" in line
        else "Check the indentation, and that texts with `: ` in them stand in quotes."
    )


def _toml(text: str) -> Source:
    if found := _TOML_TOO_DEEP.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise _unreadable(Place(line, 1), f"values are nested more than {DEEPEST} deep")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.search(str(error))
        line, column = (int(found[1]), int(found[2])) if found and found[1] else (text.count("\n") + 1, 1)
        message = _TOML_PLACE.sub("", str(error)).strip()
        raise _unreadable(Place(line, column), f"this is not TOML: {message}") from error
    except RecursionError as error:
        raise _unreadable(Place(1, 1), f"values are nested more than {DEEPEST} deep") from error
    return Source(_plain(document, 0), Places(_toml_places(text)))


def _plain(value: Any, depth: int) -> Any:
    """Without the types that JSON does not have."""
    if depth > DEEPEST:
        raise _unreadable(Place(1, 1), f"values are nested more than {DEEPEST} deep")
    match value:
        case int() if not isinstance(value, bool) and abs(value) >= _TOO_LARGE:
            return str(value)
        case dict():
            return {name: _plain(item, depth + 1) for name, item in value.items()}
        case list():
            return [_plain(item, depth + 1) for item in value]
        case date() | time():
            return value.isoformat()
        case float() if value != value or abs(value) == float("inf"):  # noqa: PLR0124 - NaN
            return str(value)
        case _:
            return value


def _toml_places(text: str) -> dict[Path, Place]:
    """Where keys stand, line by line: tomllib does not tell. Within texts of several lines it may be mistaken."""
    places: dict[Path, Place] = {}
    table: Path = ()
    counts: dict[Path, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if found := _TOML_TABLE.match(line):
            table = _toml_names(found[2])
            if found[1]:
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            places.setdefault(table, Place(number, found.start(2) + 1))
        elif found := _TOML_KEY.match(line):
            places.setdefault((*table, *_toml_names(found[1])), Place(number, found.start(1) + 1))
    return places


def _toml_names(dotted_names: str) -> Path:
    return tuple(name.strip("\"'") for name in _TOML_NAME.findall(dotted_names))
