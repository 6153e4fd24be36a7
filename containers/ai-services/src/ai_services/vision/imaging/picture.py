"""A decoded picture, and the geometry between it and its original."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(height, width, 3), RGB, upright, what was transparent is white."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Picture:
    """Pixels to work on, which may be fewer than the original's, and what the original was."""

    pixels: Pixels
    width: int
    height: int
    format: str

    @property
    def scale(self) -> tuple[float, float]:
        """Original pixels per working pixel, across and down."""
        height, width = self.pixels.shape[:2]
        return self.width / width, self.height / height

    def to_original(self, points: Floats) -> Floats:
        """Points (..., 2) of `pixels` as points of the original, kept inside it."""
        moved = points * np.asarray(self.scale, np.float32)
        limits = np.asarray((self.width, self.height), np.float32)
        inside: Floats = np.clip(moved, 0, limits).astype(np.float32)
        return inside


@dataclass(frozen=True)
class Need:
    """How many pixels a task can use. Decoding to fewer is faster; decoding to more is waste.

    Its sides need be no longer than `short_side` and `long_side`; None is no such limit.
    """

    short_side: int | None = None
    long_side: int | None = None

    def shrink_factor(self, width: int, height: int, most_pixels: int) -> int:
        """Whole number by which both sides may be divided, at least 1."""
        factors = [max(width, height) // self.long_side] if self.long_side else []
        factors += [min(width, height) // self.short_side] if self.short_side else []
        useful = min(factors, default=1)
        forced = int(np.ceil(np.sqrt(width * height / most_pixels)))
        return max(useful, forced, 1)
