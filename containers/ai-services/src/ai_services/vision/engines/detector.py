"""Eighty everyday kinds of object and where they are, by NanoDet-g (COCO)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ai_services.vision.engines.sessions import Session, SessionSettings
from ai_services.vision.imaging.picture import Floats, Pixels
from ai_services.vision.imaging.shaping import Letterbox, best_of_overlapping

SIDE: Final = 416
_STRIDES: Final = (8, 16, 32)
_BINS: Final = 11
_MEAN_BGR: Final = (103.53, 116.28, 123.675)
_DEVIATION_BGR: Final = (57.375, 57.12, 58.395)
_MOST_OVERLAP: Final = 0.5
_NEARLY_EQUAL: Final = 0.8
_MOST_OBJECTS: Final = 100


@dataclass(frozen=True)
class FoundObject:
    """`box` is left, top, right, bottom."""

    label: str
    score: float
    box: Floats


class ObjectFinder:
    """Input (1, 3, 416, 416); outputs scores (1, 3549, 80) and distances (1, 3549, 44) of 3549 places."""

    def __init__(self, files: Mapping[str, Path], settings: SessionSettings) -> None:
        self._session = Session(files["model.onnx"], settings, keep_memory=True)
        self.labels = tuple(files["labels.txt"].read_text(encoding="utf-8").splitlines())
        self.device = self._session.device

    def find(self, pixels: Pixels, min_score: float) -> list[FoundObject]:
        """Objects in pixels of the picture, best first."""
        letterbox = Letterbox.of(pixels, SIDE)
        scores, distances = self._session.run(prepare(letterbox.square))
        boxes, certain, kinds = decode(scores[0], distances[0], min_score)
        height, width = pixels.shape[:2]
        corners = letterbox.to_picture(boxes.reshape(-1, 2, 2)).clip(0, (width, height)).reshape(-1, 4)
        return [
            FoundObject(self.labels[kind], float(score), box)
            for kind, score, box in zip(kinds, certain, corners, strict=True)
        ]


def prepare(square: Pixels) -> Floats:
    """(1, 3, 416, 416) BGR, less the mean, by the deviation."""
    mean, deviation = np.asarray(_MEAN_BGR, np.float32), np.asarray(_DEVIATION_BGR, np.float32)
    values = (square[:, :, ::-1].astype(np.float32) - mean) / deviation
    prepared: Floats = np.ascontiguousarray(values.transpose(2, 0, 1)[None], np.float32)
    return prepared


def decode(scores: Floats, distances: Floats, min_score: float) -> tuple[Floats, Floats, list[int]]:
    """Boxes (n, 4) in pixels of the square, their scores and kinds, best first, one for each object.

    Each place tells its distance to the four sides as the expectation of a distribution over 11 bins.
    """
    places, kinds = np.nonzero(scores >= min_score)
    certain = scores[places, kinds]
    middles, strides = _places()
    bins = np.exp(distances[places].reshape(-1, 4, _BINS))
    reach = (bins / bins.sum(axis=2, keepdims=True)) @ np.arange(_BINS, dtype=np.float32)
    reach *= strides[places, None]
    boxes = np.concatenate((middles[places] - reach[:, :2], middles[places] + reach[:, 2:]), axis=1)
    kept = _one_each(boxes, certain, kinds)[:_MOST_OBJECTS]
    return boxes[kept], certain[kept], [int(kinds[index]) for index in kept]


def _one_each(boxes: Floats, certain: Floats, kinds: NDArray[np.intp]) -> list[int]:
    """Of overlapping boxes of one kind the best; of nearly equal boxes of different kinds (cat, dog) too."""
    apart = boxes + kinds[:, None] * np.float32(4 * SIDE)
    of_a_kind = best_of_overlapping(apart, certain, _MOST_OVERLAP)
    kept = best_of_overlapping(boxes[of_a_kind], certain[of_a_kind], _NEARLY_EQUAL)
    return [of_a_kind[index] for index in kept]


@cache
def _places() -> tuple[Floats, Floats]:
    """Middle (3549, 2) and stride (3549,) of each place, row by row, finest grid first."""
    middles, strides = [], []
    for stride in _STRIDES:
        steps = (np.arange(SIDE // stride, dtype=np.float32) + 0.5) * stride
        middles.append(np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2))
        strides.append(np.full(len(middles[-1]), stride, np.float32))
    return np.concatenate(middles), np.concatenate(strides)
