"""Text of pages whose text is known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from ai_services.vision.answers import rows_of
from ai_services.vision.engines.ocr.order import rows_of as order_of
from ai_services.vision.engines.ocr.reader import FoundLine
from ai_services.vision.engines.ocr.reading import decode
from ai_services.vision.shelf import Shelf
from tests.support.pictures import ENGLISH_PAGE, JAPANESE_PAGE, columns, page, photo, vertical_page

SHORT = JAPANESE_PAGE[:4]


def read(shelf: Shelf, image: Image.Image) -> list[FoundLine]:
    return shelf.text.get().read(np.asarray(image.convert("RGB")), 0.5)


def rows(shelf: Shelf, image: Image.Image) -> list[str]:
    return [plain(row) for row in rows_of(read(shelf, image))]


def plain(text: str) -> str:
    """Without spaces, and with brackets as OCR may see them: full or half width look alike."""
    return "".join(text.split()).translate(str.maketrans("（）：", "():"))


@pytest.mark.parametrize("serif", [False, True], ids=["sans", "serif"])
@pytest.mark.parametrize("lines", [ENGLISH_PAGE, JAPANESE_PAGE], ids=["English", "Japanese"])
def test_a_page_is_read_without_an_error(shelf: Shelf, lines: tuple[str, ...], serif: bool) -> None:
    assert rows(shelf, page(lines, serif=serif)) == [plain(line) for line in lines]


@pytest.mark.parametrize("angle", [90, 180, 270, 5])
def test_a_turned_page_is_read_in_order(shelf: Shelf, angle: int) -> None:
    turned = page(SHORT).rotate(angle, expand=True, fillcolor="white", resample=Image.Resampling.BICUBIC)
    assert rows(shelf, turned) == [plain(line) for line in SHORT]


def test_a_turned_line_says_where_it_begins(shelf: Shelf) -> None:
    image = page(("Total: 42.50",)).rotate(180)
    (line,) = read(shelf, image)
    assert line.quad[0][0] > line.quad[1][0]  # from right to left
    assert line.quad[0][1] > line.quad[3][1]  # its upper edge is below


def test_japanese_written_downwards_is_read_from_the_right(shelf: Shelf) -> None:
    lines = ("吾輩は猫である", "名前はまだ無い", "どこで生れたか")
    assert rows(shelf, vertical_page(lines)) == list(lines)


def test_columns_are_read_one_after_the_other(shelf: Shelf) -> None:
    left = ("The river rises in the hills", "and runs for many miles", "to the sea in the east")
    right = ("Boats have used it since", "the first towns were built", "on both of its banks")
    found = rows(shelf, columns(left, right))
    assert found == [plain(line) for line in (*left, *right)]


def test_a_tall_page_is_read_to_its_end(shelf: Shelf) -> None:
    lines = [f"Line {number} of a long page" for number in range(1, 41)]
    assert rows(shelf, page(lines, size=22)) == [plain(line) for line in lines]


def test_a_wide_banner_is_one_line(shelf: Shelf) -> None:
    sentence = "Grand opening sale: every notebook and pen half price until the end of November"
    assert rows(shelf, page([sentence], size=60)) == [plain(sentence)]


@pytest.mark.parametrize(
    "image",
    [
        page(SHORT, ink="#eeeeee", paper="#223355"),
        page(SHORT, ink="#888888", paper="#bbbbbb"),
        page(SHORT, size=14, margin=10),
        page(SHORT, size=90),
        page(SHORT).filter(ImageFilter.GaussianBlur(1.2)),
    ],
    ids=["light on dark", "pale", "small", "large", "blurred"],
)
def test_poor_pages_are_read_nearly_as_well(shelf: Shelf, image: Image.Image) -> None:
    found = rows(shelf, image)
    assert len(found) == len(SHORT)
    wrong = sum(
        a != b for row, line in zip(found, SHORT, strict=True) for a, b in zip(row, plain(line), strict=False)
    )
    assert wrong <= 1


@pytest.mark.parametrize("text", ["7", "OK", "猫"])
def test_a_lone_character_is_read(shelf: Shelf, text: str) -> None:
    assert rows(shelf, page([text], size=60)) == [text]


@pytest.mark.parametrize("name", ["coffee", "chelsea", "coins", "brick"])
def test_no_text_is_seen_where_there_is_none(shelf: Shelf, name: str) -> None:
    assert rows(shelf, photo(name)) == []


def test_an_empty_page_has_no_lines(shelf: Shelf) -> None:
    assert read(shelf, Image.new("RGB", (400, 300), "white")) == []


def test_repeats_and_blanks_are_left_out_and_a_wide_gap_is_a_space() -> None:
    steps = [1, 1, 0, 1, 2] + [0] * 12 + [3]
    found = decode(np.eye(4, dtype=np.float32)[steps], ("", "a", "b", "c"))
    assert found.text == "aab c"
    assert found.score == 1
    assert decode(np.eye(4, dtype=np.float32)[[0, 0]], ("", "a", "b", "c")).text == ""


def test_the_cells_of_a_table_are_read_row_by_row() -> None:
    def box(left: float, top: float, width: float) -> np.ndarray:
        return np.asarray((left, top, left + width, top + 20), np.float32)

    table = [
        box(0, 0, 60),
        box(200, 2, 40),
        box(0, 40, 70),
        box(200, 38, 50),
        box(0, 80, 60),
        box(200, 82, 40),
    ]
    assert order_of(table, [False] * 6) == [[0, 1], [2, 3], [4, 5]]
