"""The inputs of a run, as they are typed."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ai_semble_client.errors import UnusableFile

_PICTURES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".gif": "gif", ".bmp": "bmp"}
_TEXTS = (".txt", ".md", ".rst", ".csv", ".json", ".log")


def inputs(
    named: Iterable[str], texts: Iterable[str], pictures: Iterable[str], file: Path | None
) -> Mapping[str, Any]:
    """All inputs by name. Raises UnusableFile."""
    given: dict[str, Any] = _members(file) if file else {}
    given |= {name: _value(text) for name, text in map(_pair, named)}
    given |= {name: [_text(path) for path in _files(folder, _TEXTS)] for name, folder in map(_pair, texts)}
    given |= {
        name: [_picture(path) for path in _files(folder, tuple(_PICTURES))]
        for name, folder in map(_pair, pictures)
    }
    return given


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise UnusableFile(f"`{text}` is no input", "Write NAME=VALUE.")
    return name, value


def _value(text: str) -> Any:
    """JSON where it is some; any other text is itself, and `@FILE` is the text of a file."""
    if text.startswith("@"):
        return _read(Path(text[1:]))
    try:
        return json.loads(text)
    except ValueError:
        return text


def _members(file: Path) -> dict[str, Any]:
    text = sys.stdin.read() if str(file) == "-" else _read(file)
    try:
        members = json.loads(text)
    except ValueError as error:
        raise UnusableFile(
            f"{file} is not JSON: {error}", "Give an object, with the inputs by name."
        ) from error
    if not isinstance(members, dict):
        raise UnusableFile(f"{file} is no object", "Give an object, with the inputs by name.")
    return members


def _files(folder: str, suffixes: tuple[str, ...]) -> list[Path]:
    path = Path(folder)
    if path.is_file():
        return [path]
    found = sorted(one for one in path.glob("*") if one.suffix.lower() in suffixes) if path.is_dir() else []
    if not found:
        raise UnusableFile(f"There is no such file in {folder}", f"Known are {', '.join(suffixes)}.")
    return found


def _text(path: Path) -> dict[str, str]:
    return {"name": path.name, "text": _read(path)}


def _picture(path: Path) -> str:
    try:
        content = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise UnusableFile(f"{path} cannot be read: {error}", "Check its name and rights.") from error
    return f"data:image/{_PICTURES.get(path.suffix.lower(), 'png')};base64,{content}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableFile(f"{path} cannot be read: {error}", "Give a text file in UTF-8.") from error
