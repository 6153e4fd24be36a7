"""From what engines found, in working pixels, to the answer, in pixels of the original."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ai_semble.schemas.vision import Box, DetectedObject, Face, Label, Landmarks, Point, Text, TextLine
from ai_services.vision.engines.classifier import ScoredLabel
from ai_services.vision.engines.detector import FoundObject
from ai_services.vision.engines.faces import FoundFace
from ai_services.vision.engines.ocr.reader import FoundLine
from ai_services.vision.imaging.picture import Floats, Picture


def labels(found: Sequence[ScoredLabel]) -> tuple[Label, ...]:
    return tuple(Label(label=it.label, score=_score(it.score)) for it in found)


def embedding(features: Floats) -> tuple[float, ...]:
    return tuple(np.round(features.astype(np.float64), 6).tolist())


def objects(picture: Picture, found: Sequence[FoundObject]) -> tuple[DetectedObject, ...]:
    return tuple(
        DetectedObject(label=it.label, score=_score(it.score), box=_box(picture, it.box.reshape(2, 2)))
        for it in found
    )


def text(picture: Picture, found: Sequence[FoundLine]) -> Text:
    lines = tuple(
        TextLine(
            text=it.text,
            score=_score(it.score),
            box=_box(picture, it.quad),
            polygon=_corners(picture, it.quad),
        )
        for it in found
    )
    return Text(content="\n".join(rows_of(found)), lines=lines)


def rows_of(found: Sequence[FoundLine]) -> list[str]:
    """The text row by row; what stands side by side is joined by spaces."""
    rows: dict[int, list[str]] = {}
    for line in found:
        rows.setdefault(line.row, []).append(line.text)
    return [" ".join(pieces) for pieces in rows.values()]


def faces(picture: Picture, found: Sequence[FoundFace]) -> tuple[Face, ...]:
    return tuple(
        Face(
            score=_score(it.score),
            box=_box(picture, it.box.reshape(2, 2)),
            landmarks=_landmarks(picture, it.landmarks),
        )
        for it in found
    )


def _landmarks(picture: Picture, places: Floats) -> Landmarks:
    right_eye, left_eye, nose, mouth, right_ear, left_ear = _points(picture, places)
    return Landmarks(
        right_eye=right_eye,
        left_eye=left_eye,
        nose=nose,
        mouth=mouth,
        right_ear=right_ear,
        left_ear=left_ear,
    )


def _corners(picture: Picture, quad: Floats) -> tuple[Point, Point, Point, Point]:
    first, second, third, fourth = _points(picture, quad)
    return first, second, third, fourth


def _points(picture: Picture, places: Floats) -> list[Point]:
    return [Point(x=round(float(x)), y=round(float(y))) for x, y in picture.to_original(places)]


def _box(picture: Picture, corners: Floats) -> Box:
    """The upright rectangle around corners (n, 2)."""
    placed = picture.to_original(corners)
    (left, top), (right, bottom) = placed.min(axis=0).round(), placed.max(axis=0).round()
    return Box(x=int(left), y=int(top), width=int(right - left), height=int(bottom - top))


def _score(value: float) -> float:
    return round(min(max(value, 0.0), 1.0), 4)
