"""How far a sheet reaches is known before its cells are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from data_processor.engine.extents import check_extent
from data_processor.errors import MemoryLimitExceeded


@pytest.fixture
def book(tmp_path: Path) -> Callable[..., Path]:
    """A workbook whose first sheet is filled by the one given, and its second one reaches to the end."""

    def make(fill: Callable[[Worksheet], None]) -> Path:
        path = tmp_path / "made.xlsx"
        with xlsxwriter.Workbook(str(path)) as made:
            fill(made.add_worksheet())
            made.add_worksheet().write(1_048_575, 16_383, 1)
        return path

    return make


def test_what_lies_between_two_cells_counts(book: Callable[..., Path]) -> None:
    def far(sheet: Worksheet) -> None:
        sheet.write(1, 1, "a")
        sheet.write(999_999, 27, 1)

    path = book(far)
    check_extent(path, 27 * 999_999)
    with pytest.raises(MemoryLimitExceeded, match=r"999,999 rows and 27 columns"):
        check_extent(path, 27 * 999_999 - 1)


def test_every_cell_of_a_large_sheet_is_seen(book: Callable[..., Path]) -> None:
    def large(sheet: Worksheet) -> None:
        for row in range(30_000):
            sheet.write_row(row, 0, [row, 1.5, row])

    path = book(large)
    check_extent(path, 90_000)
    with pytest.raises(MemoryLimitExceeded):
        check_extent(path, 89_999)


def test_an_empty_cell_that_is_only_coloured_does_not_count(book: Callable[..., Path]) -> None:
    def coloured(sheet: Worksheet) -> None:
        sheet.write(0, 0, "a")
        sheet.set_row(1_000_000, 20)
        sheet.write_blank(900_000, 900, None, sheet.default_url_format)

    check_extent(book(coloured), 1)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 and then nothing"])
def test_what_is_no_workbook_is_left_to_its_reader(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    check_extent(path, 1)
