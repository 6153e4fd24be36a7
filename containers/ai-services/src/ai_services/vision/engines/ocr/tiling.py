"""Pages of any size in pieces that fit into memory, and their regions put together again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

import numpy as np

from ai_services.vision.engines.ocr.finding import STRIDE, Region
from ai_services.vision.engines.ocr.quads import upright_box
from ai_services.vision.imaging.picture import Floats, Pixels
from ai_services.vision.imaging.shaping import resize

_TILE_PIXELS: Final = 800_000
_SHORT_SIDE: Final = 960
_SMALL_SIDE: Final = 640
_OVERLAP: Final = 96
_EDGE: Final = 3


@dataclass(frozen=True)
class Tile:
    """A piece of a page: where it begins and how large it is, in pixels of the page as it is searched."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Plan:
    """At which scale a page is searched for text, and in which pieces."""

    scale: float
    width: int
    height: int
    tiles: tuple[Tile, ...]

    @classmethod
    def of(cls, width: int, height: int) -> Plan:
        """A short side of at most 960 pixels finds text of 8 points on a page of A4; small pictures grow."""
        short = min(width, height)
        room = sqrt(_TILE_PIXELS / (width * height))
        scale = (
            min(1.0, _SHORT_SIDE / short)
            if short >= _SMALL_SIDE
            else min(_SMALL_SIDE / short, max(room, 1), 3)
        )
        searched = _multiple(width * scale), _multiple(height * scale)
        return cls(scale, *searched, tuple(_tiles(*searched)))

    def cut(self, page: Pixels) -> list[Pixels]:
        """The pieces of the page."""
        if page.shape[:2] != (self.height, self.width):
            page = resize(page, self.width, self.height)
        return [page[t.top : t.top + t.height, t.left : t.left + t.width] for t in self.tiles]

    def join(self, found: Sequence[Sequence[Region]]) -> list[Region]:
        """The regions of all tiles, in order, as regions of the page in `width` x `height`."""
        placed = [
            Region(region.quad + np.asarray((tile.left, tile.top), np.float32), region.certainty)
            for tile, regions in zip(self.tiles, found, strict=True)
            for region in regions
            if not self._is_cut_across(tile, region)
        ]
        return _without_repeats(placed) if len(self.tiles) > 1 else placed

    def _is_cut_across(self, tile: Tile, region: Region) -> bool:
        """Whether the tile's edge cuts a line along its length; the next tile has it whole."""
        top, bottom = region.quad[:, 1].min(), region.quad[:, 1].max()
        if bottom - top >= _OVERLAP - 2 * _EDGE:
            return False
        above = tile.top > 0 and top < _EDGE
        below = tile.top + tile.height < self.height and bottom > tile.height - _EDGE
        return bool(above or below)


def _tiles(width: int, height: int) -> list[Tile]:
    """As few as possible of at most a megapixel; the page is cut across its longer side only."""
    pieces = 1
    while _length(max(width, height), pieces) * min(width, height) > _TILE_PIXELS:
        pieces += 1
    length = _length(max(width, height), pieces)
    starts = [round(index * (max(width, height) - length) / max(1, pieces - 1)) for index in range(pieces)]
    if height >= width:
        return [Tile(0, start, width, length) for start in starts]
    return [Tile(start, 0, length, height) for start in starts]


def _length(side: int, pieces: int) -> int:
    """Of each of the pieces that cover a side with an overlap, as a multiple of the network's stride."""
    length = ceil((side + (pieces - 1) * _OVERLAP) / pieces)
    return min(side, ceil(length / STRIDE) * STRIDE)


def _multiple(side: float) -> int:
    return max(STRIDE, round(side / STRIDE) * STRIDE)


def _without_repeats(regions: list[Region]) -> list[Region]:
    """Regions that two tiles both saw, once; halves of one line on both sides of a cut, joined."""
    kept: list[Region] = []
    for region in regions:
        new = region
        others: list[Region] = []
        for other in kept:
            one = _one_of_two(new, other)
            if one is None:
                others.append(other)
            else:
                new = one
        kept = [*others, new]
    return kept


def _one_of_two(one: Region, other: Region) -> Region | None:
    """The region that both are (parts of); None where they are two."""
    a, b = upright_box(one.quad), upright_box(other.quad)
    shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    smaller = np.minimum(a[2:] - a[:2], b[2:] - b[:2])
    larger = np.maximum(a[2:] - a[:2], b[2:] - b[:2])
    if shared.prod() > 0.6 * smaller.prod():
        return one if np.prod(a[2:] - a[:2]) >= np.prod(b[2:] - b[:2]) else other
    if shared[0] > 0 and shared[1] > 0.7 * larger[1]:
        return _around(a, b, max(one.certainty, other.certainty))
    return None


def _around(a: Floats, b: Floats, certainty: float) -> Region:
    left, top = np.minimum(a[:2], b[:2])
    right, bottom = np.maximum(a[2:], b[2:])
    corners = np.asarray(((left, top), (right, top), (right, bottom), (left, bottom)), np.float32)
    return Region(corners, certainty)
