"""Pictures into the squares that networks take, and boxes back out of them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ai_services.vision.imaging.picture import Floats, Pixels


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Averaging when it gets smaller, interpolating when it gets larger."""
    smaller = width * height < pixels.shape[0] * pixels.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=method), np.uint8)


@dataclass(frozen=True)
class Letterbox:
    """A picture scaled into a square and centred there; the rest is filled with one value."""

    square: Pixels
    scale: float
    left: int
    top: int

    @classmethod
    def of(cls, pixels: Pixels, side: int, fill: int = 0) -> Letterbox:
        height, width = pixels.shape[:2]
        scale = side / max(height, width)
        inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
        left, top = (side - inner_width) // 2, (side - inner_height) // 2
        square = np.full((side, side, 3), fill, np.uint8)
        square[top : top + inner_height, left : left + inner_width] = resize(
            pixels, inner_width, inner_height
        )
        return cls(square, scale, left, top)

    def to_picture(self, points: Floats) -> Floats:
        """Points (..., 2) of the square as points of the picture that was put in."""
        moved: Floats = (points - np.asarray((self.left, self.top), np.float32)) / np.float32(self.scale)
        return moved


def overlaps(box: Floats, others: Floats) -> Floats:
    """Intersection over union of one box (4,) with others (n, 4), all as left, top, right, bottom."""
    upper_left = np.maximum(box[:2], others[:, :2])
    lower_right = np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.clip(lower_right - upper_left, 0, None), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1)
    union = np.prod(box[2:] - box[:2]) + areas - shared
    found: Floats = shared / np.maximum(union, 1e-9)
    return found


def best_of_overlapping(boxes: Floats, scores: Floats, most_overlap: float) -> list[int]:
    """Non-maximum suppression: indices of the boxes to keep, best first."""
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        best, order = int(order[0]), order[1:]
        kept.append(best)
        order = order[overlaps(boxes[best], boxes[order]) <= most_overlap]
    return kept
