"""How far the cells of a workbook's first sheet reach, before its reader makes room for all cells in between."""

from __future__ import annotations

import re
import resource
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO

from data_processor.errors import MemoryLimitExceeded

# Measured with calamine 0.4: an empty cell between two others takes 40 bytes.
CELL_BYTES = 40
_PIECE, _LONGEST_TAG = 1 << 20, 4096
_BOOK, _RELATIONS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
_MOST_BOOK_BYTES = 1 << 20
# A cell with something in it; an empty one, however far out, is none to the reader.
_PLACE = re.compile(rb"""[<:]c\s+r=["']([A-Z]{1,3})([0-9]{1,7})["'][^<>]*(?<!/)>""")
_FIRST_SHEET = re.compile(rb"""<(?:\w+:)?sheet\s[^<>]*?\bid=["']([^"'<>]+)["']""")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\s[^<>]*>")
_UNREADABLE = (OSError, KeyError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error)


def check_extent(path: Path, most_cells: int | None = None) -> None:
    """Raises MemoryLimitExceeded when the sheet's reader would need more than half of what this process may have.

    What is no workbook is its reader's to refuse.
    """
    most = most_cells or _most_cells()
    if most is None:
        return
    try:
        with zipfile.ZipFile(path) as archive:
            columns, rows = _extent(archive)
    except _UNREADABLE:
        return
    if columns * rows > most:
        raise MemoryLimitExceeded(
            f"The first sheet spans {rows:,} rows and {columns:,} columns, which are {columns * rows:,} cells; "
            f"{most:,} fit into the memory of one operation",
            hint="Delete what lies far from the table (Ctrl+End goes to the last cell), or save the sheet as CSV.",
        )


def _most_cells() -> int | None:
    most, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return None if most == resource.RLIM_INFINITY else most // 2 // CELL_BYTES


def _extent(archive: zipfile.ZipFile) -> tuple[int, int]:
    """Columns and rows from the first to the last that has a cell."""
    columns, rows = set[bytes](), set[bytes]()
    with archive.open(_first_sheet(archive)) as sheet:
        for piece in _whole_tags(sheet):
            found = _PLACE.findall(piece)
            columns.update([column for column, _ in found])
            rows.update([row for _, row in found])
    return _span(_number(column) for column in columns), _span(int(row) for row in rows)


def _first_sheet(archive: zipfile.ZipFile) -> str:
    """Raises KeyError."""
    found = _FIRST_SHEET.search(_beginning(archive, _BOOK))
    for relation in _RELATION.findall(_beginning(archive, _RELATIONS)) if found else ():
        named = dict(re.findall(rb"""\b(Id|Target)=["']([^"'<>]*)["']""", relation))
        if found and named.get(b"Id") == found[1]:
            target = named.get(b"Target", b"").decode("utf-8", "replace")
            return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    raise KeyError(_BOOK)


def _beginning(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as part:
        return part.read(_MOST_BOOK_BYTES)


def _whole_tags(sheet: IO[bytes]) -> Iterator[bytes]:
    """The content in pieces, none of which ends within a tag of reasonable length."""
    rest = b""
    while piece := sheet.read(_PIECE):
        piece = rest + piece
        cut = max(piece.rfind(b"<"), len(piece) - _LONGEST_TAG, 0)
        rest = piece[cut:]
        yield piece[:cut]
    yield rest


def _span(numbers: Iterator[int]) -> int:
    known = sorted(numbers)
    return known[-1] - known[0] + 1 if known else 0


@cache
def _number(column: bytes) -> int:
    """1 for A, 28 for AB."""
    number = 0
    for letter in column:
        number = number * 26 + letter - 64
    return number
