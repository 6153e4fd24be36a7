"""Pages to lines of text."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from ai_services.vision.engines.ocr import finding, reading, turning
from ai_services.vision.engines.ocr.finding import Region
from ai_services.vision.engines.ocr.order import rows_of
from ai_services.vision.engines.ocr.quads import WAYS, cut_out, direction_of, is_tall, seen_along, upright_box
from ai_services.vision.engines.ocr.reading import Reading
from ai_services.vision.engines.ocr.tiling import Plan
from ai_services.vision.engines.sessions import Session, SessionSettings, give_back_memory
from ai_services.vision.imaging.picture import Floats, Pixels

_DOUBTFUL: Final = 0.7
_STRIPS_AT_ONCE: Final = 64
_LONE: Final = 2


@dataclass(frozen=True)
class FoundLine:
    """`quad` (4, 2) is clockwise from where the text begins; lines side by side have the same `row`."""

    text: str
    score: float
    quad: Floats
    row: int


class TextReader:
    """The three networks of PP-OCRv6: `det`, `cls` and `rec`.

    One page is searched at a time: the search takes all threads anyway, and its memory.
    """

    def __init__(self, files: Mapping[str, Path], settings: SessionSettings) -> None:
        self._finder = Session(files["det.onnx"], settings, keep_memory=False)
        self._turner = Session(files["cls.onnx"], settings, keep_memory=False)
        self._reader = Session(files["rec.onnx"], settings, keep_memory=False)
        self._alphabet = reading.alphabet_of(self._reader)
        self._one_page = threading.Lock()
        self.device = self._finder.device

    def read(self, page: Pixels, min_score: float) -> list[FoundLine]:
        """The lines that are legible with at least this score, in reading order."""
        with self._one_page:
            regions = self._find(page)
            lines: list[FoundLine] = []
            for start in range(0, len(regions), _STRIPS_AT_ONCE):
                lines += self._read_some(page, regions[start : start + _STRIPS_AT_ONCE])
            give_back_memory()
        return in_order([line for line in lines if line.text and line.score >= min_score])

    def _find(self, page: Pixels) -> list[Region]:
        height, width = page.shape[:2]
        plan = Plan.of(width, height)
        found = finding.decode(plan.map(page, lambda tile: finding.text_map(self._finder, tile)))
        scale = np.asarray((width / plan.width, height / plan.height), np.float32)
        return [Region(region.quad * scale, region.certainty) for region in found]

    def _read_some(self, page: Pixels, regions: list[Region]) -> list[FoundLine]:
        """Tall regions are read with their lower end last, which is right for text written downwards."""
        starts = [np.roll(it.quad, -1, axis=0) if is_tall(it.quad) else it.quad for it in regions]
        strips = [cut_out(page, quad, reading.HEIGHT) for quad in starts]
        turned = turning.are_upside_down(self._turner, strips)
        strips = [
            turning.turned_round(strip) if down else strip for strip, down in zip(strips, turned, strict=True)
        ]
        readings = self._read_strips(strips, turned)
        return [
            FoundLine(found.text, score_of(found, it), np.roll(quad, 2, axis=0) if down else quad, row=0)
            for found, it, quad, down in zip(readings, regions, starts, turned, strict=True)
        ]

    def _read_strips(self, strips: list[Pixels], turned: list[bool]) -> list[Reading]:
        """Each strip's text. What is doubtful is tried the other way round, and `turned` corrected."""
        readings = reading.read_strips(self._reader, self._alphabet, strips)
        doubtful = [index for index, found in enumerate(readings) if found.score < _DOUBTFUL]
        again = [turning.turned_round(strips[index]) for index in doubtful]
        others = reading.read_strips(self._reader, self._alphabet, again)
        for index, other in zip(doubtful, others, strict=True):
            if other.score > readings[index].score:
                readings[index], turned[index] = other, not turned[index]
        return readings


def score_of(found: Reading, region: Region) -> float:
    """The reading's score; of one or two characters also how sure it is that there is text at all.

    The rim of a cup is an 8 for a network that has only ever seen text. On photographs the finder is less
    sure of those (0.58 to 0.75) than of real lone characters (0.76 to 0.92).
    """
    return found.score * region.certainty**2 if len(found.text) <= _LONE else found.score


def in_order(lines: list[FoundLine]) -> list[FoundLine]:
    """The lines as they are read, with the number of their row.

    The page is looked at so that most of its text runs to the right. Japanese written downwards and a page
    that lies on its side come out right alike: both have their first line at the right.
    """
    directions = [direction_of(line.quad) for line in lines]
    length = {
        way: sum(len(it.text) for it, w in zip(lines, directions, strict=True) if w == way) for way in WAYS
    }
    main = max(WAYS, key=lambda way: length[way])
    boxes = [upright_box(seen_along(line.quad, main)) for line in lines]
    rows = rows_of(boxes, [way != main for way in directions])
    return [replace(lines[index], row=number) for number, row in enumerate(rows) for index in row]
