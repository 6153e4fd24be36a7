"""Whether a picture shows nudity, by Yahoo's open_nsfw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from ai_services.vision.engines.sessions import Session, SessionSettings
from ai_services.vision.imaging.picture import Floats, Pixels
from ai_services.vision.imaging.shaping import resize

_SQUARE: Final = 256
_SIDE: Final = 224
_MEAN_BGR: Final = (104.0, 117.0, 123.0)


class SafetyJudge:
    """open_nsfw in ONNX: input (1, 224, 224, 3) BGR less the mean; output (1, 2): fit and unfit for work."""

    def __init__(self, files: Mapping[str, Path], settings: SessionSettings) -> None:
        self._session = Session(files["model.onnx"], settings, keep_memory=True)
        self.device = self._session.device

    def judge(self, pixels: Pixels) -> float:
        """The probability that the picture is unfit for work."""
        return float(self._session.run(prepare(pixels))[0][0, 1])


def prepare(pixels: Pixels) -> Floats:
    """The middle 224 of the picture squeezed to 256 x 256, as Yahoo's own classifier does."""
    edge = (_SQUARE - _SIDE) // 2
    square = resize(pixels, _SQUARE, _SQUARE)[edge : edge + _SIDE, edge : edge + _SIDE, ::-1]
    values: Floats = square.astype(np.float32) - np.asarray(_MEAN_BGR, np.float32)
    return values[None]
