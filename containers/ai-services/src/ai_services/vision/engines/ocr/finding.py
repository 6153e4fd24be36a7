"""Where lines of text are: PP-OCRv6's detection network (differentiable binarisation)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from ai_services.vision.engines.ocr.quads import clockwise, size_of
from ai_services.vision.engines.sessions import Session
from ai_services.vision.imaging.picture import Floats, Pixels

STRIDE: Final = 32
_INK: Final = 0.3
_LEAST_CERTAINTY: Final = 0.5
_GROW: Final = 1.6
_LEAST_SIDE: Final = 3
_MOST_REGIONS: Final = 1000


@dataclass(frozen=True)
class Region:
    """Corners (4, 2) clockwise from the upper left, and how sure the network is that there is text."""

    quad: Floats
    certainty: float


def text_map(session: Session, tile: Pixels) -> Floats:
    """How likely each pixel is text, (height, width) as the tile, whose sides are multiples of 32.

    It takes about 180 MB for each megapixel of the tile.
    """
    probabilities: Floats = session.run(prepare(tile))[0][0, 0]
    return probabilities


def prepare(tile: Pixels) -> Floats:
    """(1, 3, height, width) BGR in -1..1."""
    blob = cv2.dnn.blobFromImage(tile, 1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True)
    return np.asarray(blob, np.float32)


def decode(probabilities: Floats) -> list[Region]:
    """A map of how likely each pixel is text (height, width) to regions in pixels of that map."""
    ink = cv2.dilate((probabilities > _INK).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(ink, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    regions = (_region(probabilities, contour) for contour in contours[:_MOST_REGIONS])
    return [region for region in regions if region]


def _region(probabilities: Floats, contour: cv2.typing.MatLike) -> Region | None:
    """The smallest rectangle around a contour, grown to the size of the letters; None where it is no text."""
    middle, (width, height), angle = cv2.minAreaRect(contour)
    if min(width, height) < _LEAST_SIDE:
        return None
    core = np.asarray(cv2.boxPoints((middle, (width, height), angle)), np.float32)
    certainty = _mean_inside(probabilities, core)
    if certainty < _LEAST_CERTAINTY:
        return None
    grow = width * height * _GROW / (2 * (width + height))
    grown = cv2.boxPoints((middle, (width + 2 * grow, height + 2 * grow), angle))
    limits = (probabilities.shape[1], probabilities.shape[0])
    quad = clockwise(np.clip(grown, 0, limits).astype(np.float32))
    return Region(quad, certainty) if min(size_of(quad)) >= _LEAST_SIDE + 2 else None


def _mean_inside(values: Floats, quad: Floats) -> float:
    height, width = values.shape
    left, top = np.clip(np.floor(quad.min(axis=0)).astype(int), 0, (width - 1, height - 1))
    right, bottom = np.clip(np.ceil(quad.max(axis=0)).astype(int), 0, (width - 1, height - 1))
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(mask, [(quad - (left, top)).astype(np.int32)], 1)
    return float(cv2.mean(values[top : bottom + 1, left : right + 1], mask)[0])
