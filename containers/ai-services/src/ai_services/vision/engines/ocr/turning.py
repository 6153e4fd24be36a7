"""Whether a line stands on its head: PP-OCR's direction classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ai_services.vision.engines.sessions import Session
from ai_services.vision.imaging.picture import Floats, Pixels

_HEIGHT, _WIDTH = 48, 192
_BATCH: Final = 16
_LEAST_CERTAINTY: Final = 0.9


def are_upside_down(session: Session, strips: Sequence[Pixels]) -> list[bool]:
    """For each strip of height 48, whether it has to be turned by 180 degrees."""
    turned: list[bool] = []
    for start in range(0, len(strips), _BATCH):
        probabilities = session.run(prepare(strips[start : start + _BATCH]))[0]
        turned += [bool(row[1] > _LEAST_CERTAINTY) for row in probabilities]
    return turned


def turned_round(strip: Pixels) -> Pixels:
    """The strip turned by 180 degrees."""
    return np.ascontiguousarray(strip[::-1, ::-1])


def prepare(strips: Sequence[Pixels]) -> Floats:
    """(n, 3, 48, 192) BGR in -1..1: the middle of each strip, padded with 0.

    A long line is not squeezed into this width, as PaddleOCR does: its letters would no longer be any.
    """
    values = np.zeros((len(strips), 3, _HEIGHT, _WIDTH), np.float32)
    for row, strip in zip(values, strips, strict=True):
        start = max(0, (strip.shape[1] - _WIDTH) // 2)
        part = strip[:, start : start + _WIDTH, ::-1]
        row[:, :, : part.shape[1]] = part.transpose(2, 0, 1) / np.float32(127.5) - 1
    return values
