"""What a picture is of, and a vector for comparing pictures, by EfficientNet-Lite0 (ImageNet-1k)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ai_services.vision.engines.sessions import Session, SessionSettings
from ai_services.vision.imaging.picture import Floats, Pixels

SIDE: Final = 224
SHORT_SIDE: Final = 256
"""The network sees the middle square of 224 of a picture whose short side is 256."""


@dataclass(frozen=True)
class ScoredLabel:
    """A label and its probability among all."""

    label: str
    score: float


@dataclass(frozen=True)
class Impression:
    """One run of the network: a probability for each label (1000,), and its features (1280,) of length 1."""

    probabilities: Floats
    features: Floats


class Classifier:
    """Input (n, 224, 224, 3) bytes RGB; outputs probabilities (n, 1000) and features (n, 1280)."""

    def __init__(self, files: Mapping[str, Path], settings: SessionSettings) -> None:
        self._session = Session(files["model.onnx"], settings, keep_memory=True)
        self.labels = tuple(files["labels.txt"].read_text(encoding="utf-8").splitlines())
        self.device = self._session.device

    def look(self, pixels: Pixels) -> Impression:
        probabilities, features = self._session.run(prepare(pixels))
        return Impression(probabilities[0], features[0] / max(float(np.linalg.norm(features[0])), 1e-12))


def prepare(pixels: Pixels) -> NDArray[np.uint8]:
    """(1, 224, 224, 3): the middle square, seven eighths of the short side."""
    height, width = pixels.shape[:2]
    side = max(1, round(min(height, width) * SIDE / SHORT_SIDE))
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[top : top + side, left : left + side]
    method = cv2.INTER_AREA if side > 2 * SIDE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(square, (SIDE, SIDE), interpolation=method), np.uint8)[None]


def best(probabilities: Floats, labels: Sequence[str], top_k: int, min_score: float) -> list[ScoredLabel]:
    """The most probable labels, best first, none below `min_score`."""
    order = np.argsort(-probabilities, kind="stable")[:top_k]
    return [ScoredLabel(labels[i], float(probabilities[i])) for i in order if probabilities[i] >= min_score]
