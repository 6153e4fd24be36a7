"""Pages of any size in pieces that fit into memory, and what was found in the pieces put together again.

The maps of the pieces are joined, not the lines in them: a line across a seam is never in two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

import numpy as np

from ai_services.vision.engines.ocr.finding import STRIDE
from ai_services.vision.imaging.picture import Floats, Pixels
from ai_services.vision.imaging.shaping import resize

_TILE_PIXELS: Final = 800_000
_SHORT_SIDE: Final = 960
_SMALL_SIDE: Final = 640
_MOST_ENLARGED: Final = 3
_OVERLAP: Final = 96


@dataclass(frozen=True)
class Tile:
    """A piece of a page: where it begins and how large it is, in pixels of the page as it is searched."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Plan:
    """At which size a page is searched for text, and in which pieces."""

    width: int
    height: int
    tiles: tuple[Tile, ...]

    @classmethod
    def of(cls, width: int, height: int) -> Plan:
        """A short side of at most 960 pixels finds text of 8 points on a page of A4; small pictures grow."""
        short = min(width, height)
        if short >= _SMALL_SIDE:
            scale = min(1.0, _SHORT_SIDE / short)
        else:
            room = sqrt(0.9 * _TILE_PIXELS / (width * height))  # rather smaller than in two pieces
            scale = min(_SMALL_SIDE / short, max(room, 1), _MOST_ENLARGED)
        searched = _multiple(width * scale), _multiple(height * scale)
        return cls(*searched, tuple(_tiles(*searched)))

    def map(self, page: Pixels, look: Callable[[Pixels], Floats]) -> Floats:
        """`look` makes a map (height, width) of each piece; of two that overlap, each gives its half."""
        if page.shape[:2] != (self.height, self.width):
            page = resize(page, self.width, self.height)
        whole = np.empty((self.height, self.width), np.float32)
        for tile in self.tiles:
            left, top = tile.left, tile.top
            found = look(page[top : top + tile.height, left : left + tile.width])
            skip_x, skip_y = (_OVERLAP // 2 if edge else 0 for edge in (left, top))
            whole[top + skip_y : top + tile.height, left + skip_x : left + tile.width] = found[
                skip_y:, skip_x:
            ]
        return whole


def _tiles(width: int, height: int) -> list[Tile]:
    """As few as possible of at most 800,000 pixels; the page is cut across its longer side only."""
    long, short, pieces = max(width, height), min(width, height), 1
    while _length(long, pieces) * short > _TILE_PIXELS and _length(long, pieces) > 2 * _OVERLAP:
        pieces += 1
    length = _length(long, pieces)
    starts = [round(index * (long - length) / max(1, pieces - 1)) for index in range(pieces)]
    if height >= width:
        return [Tile(0, start, width, length) for start in starts]
    return [Tile(start, 0, length, height) for start in starts]


def _length(side: int, pieces: int) -> int:
    """Of each of the pieces that cover a side with an overlap, as a multiple of the network's stride."""
    length = ceil((side + (pieces - 1) * _OVERLAP) / pieces)
    return min(side, ceil(length / STRIDE) * STRIDE)


def _multiple(side: float) -> int:
    return max(STRIDE, round(side / STRIDE) * STRIDE)
