"""What a GGUF file says about itself. Source: the format's specification, `docs/gguf.md` of ggml-org/ggml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# What describes a model stands before its vocabulary, in a few kilobytes.
HEAD_BYTES = 1024 * 1024
MAGIC = b"GGUF"
VERSIONS = (2, 3)
LICENCE = b"general.license"
# An SPDX expression. Anybody may have written the file, and what it says becomes part of a table and of a file's name.
_EXPRESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+() -]{0,63}", re.ASCII)
_TEXT, _ARRAY = 8, 9
# Bytes of a value by the number of its type.
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


def licence_in(path: Path) -> str | None:
    """The licence that a GGUF file names; None when it names none, or is no such file. Raises OSError."""
    with path.open("rb") as file:
        head = _Head(file.read(HEAD_BYTES))
    try:
        named = (head.text_of(LICENCE) or b"").decode("ascii")
    except ValueError:
        return None
    return named if _EXPRESSION.fullmatch(named) else None


@dataclass
class _Head:
    """The beginning of a file, read on from `position`. Raises ValueError where it ends, or is no GGUF."""

    data: bytes
    position: int = 0

    def text_of(self, wanted: bytes) -> bytes | None:
        if self._take(4) != MAGIC or self._number(4) not in VERSIONS:
            raise ValueError("it is no GGUF of a version that is known")
        self._number(8)  # of tensors
        for _ in range(self._number(8)):
            key, kind = self._text(), self._number(4)
            if key == wanted:
                return self._text() if kind == _TEXT else None
            self._skip(kind)
        return None

    def _skip(self, kind: int) -> None:
        if kind == _TEXT:
            self._text()
        elif kind == _ARRAY:
            of, length = self._number(4), self._number(8)
            if of == _TEXT:
                for _ in range(length):
                    self._text()
            else:
                self._take(_width(of) * length)
        else:
            self._take(_width(kind))

    def _text(self) -> bytes:
        return self._take(self._number(8))

    def _number(self, width: int) -> int:
        return int.from_bytes(self._take(width), "little")

    def _take(self, length: int) -> bytes:
        begin, self.position = self.position, self.position + length
        if self.position > len(self.data):
            raise ValueError("it ends early")
        return self.data[begin : self.position]


def _width(kind: int) -> int:
    """Raises ValueError for an array of arrays, which nobody writes, and for a type that is not known."""
    if kind not in _WIDTHS:
        raise ValueError(f"type {kind}")
    return _WIDTHS[kind]
