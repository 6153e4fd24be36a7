"""Four-cornered regions: a line of text anywhere on the page, at any angle."""

from __future__ import annotations

import cv2
import numpy as np

from ai_services.vision.imaging.picture import Floats, Pixels
from ai_services.vision.imaging.shaping import resize

_TALL = 1.5

Way = tuple[int, int]
WAYS: tuple[Way, ...] = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""Directions in which text may run: to the right, down, to the left (upside down), up."""


def clockwise(points: Floats) -> Floats:
    """Corners (4, 2) in the order upper left, upper right, lower right, lower left."""
    by_x = points[np.argsort(points[:, 0], kind="stable")]
    left = by_x[:2][np.argsort(by_x[:2, 1], kind="stable")]
    right = by_x[2:][np.argsort(by_x[2:, 1], kind="stable")]
    return np.asarray((left[0], right[0], right[1], left[1]), np.float32)


def size_of(quad: Floats) -> tuple[float, float]:
    """Width and height along its own sides."""
    width = max(np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[2] - quad[3]))
    height = max(np.linalg.norm(quad[0] - quad[3]), np.linalg.norm(quad[1] - quad[2]))
    return float(width), float(height)


def is_tall(quad: Floats) -> bool:
    """Higher than a character of its width would be: written downwards, or turned by 90 degrees."""
    width, height = size_of(quad)
    return height >= _TALL * width


def upright_box(quad: Floats) -> Floats:
    """Left, top, right, bottom around it."""
    return np.concatenate((quad.min(axis=0), quad.max(axis=0)))


def direction_of(quad: Floats) -> Way:
    """The nearest of the four directions to the one from the line's first corner to its second."""
    along = quad[1] + quad[2] - quad[0] - quad[3]
    return max(WAYS, key=lambda way: float(along @ np.asarray(way)))


def seen_along(quad: Floats, way: Way) -> Floats:
    """The quad on the page turned so that `way` leads to the right."""
    x, y = way
    turned: Floats = quad @ np.asarray(((x, -y), (y, x)), np.float32)
    return turned


def cut_out(pixels: Pixels, quad: Floats, height: int) -> Pixels:
    """The region straightened to a strip of the given height, as wide as its shape asks for.

    The picture is first cut to the region's surroundings and averaged down to about the size of the strip.
    """
    width_there, height_there = size_of(quad)
    shrink = max(1, int(height_there / height))
    left, top, right, bottom = upright_box(quad)
    x, y = max(int(left) - 2, 0), max(int(top) - 2, 0)
    part = pixels[y : int(bottom) + 3, x : int(right) + 3]
    if shrink > 1:
        size = max(1, part.shape[1] // shrink), max(1, part.shape[0] // shrink)
        ratio = np.asarray(size, np.float32) / (part.shape[1], part.shape[0])
        part = resize(part, *size)
    else:
        ratio = np.ones(2, np.float32)
    width = max(1, round(height * width_there / max(height_there, 1)))
    corners = np.asarray(((0, 0), (width, 0), (width, height), (0, height)), np.float32)
    source = ((quad - (x, y)) * ratio).astype(np.float32)
    transform = cv2.getPerspectiveTransform(source, corners)
    strip = cv2.warpPerspective(
        part, transform, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(strip, np.uint8)
