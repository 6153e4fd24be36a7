"""Boxes, outlines and name tags on a picture, as large as the picture asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ai_services.vision.drawing.fonts import drawable, font
from ai_services.vision.drawing.palette import WHITE, Colour
from ai_services.vision.imaging.picture import Pixels

_HALO = 2


@dataclass(frozen=True)
class Style:
    """Sizes in pixels of the drawing."""

    line: int
    letters: int

    @classmethod
    def of(cls, width: int, height: int) -> Style:
        side = (width * height) ** 0.5
        return cls(line=round(min(max(side / 260, 2), 16)), letters=round(min(max(side / 38, 13), 90)))


Edges = tuple[int, int, int, int]
"""Left, top, right, bottom."""


@dataclass(frozen=True)
class Tag:
    """White letters on a coloured plate, whose lower left corner, or whose middle, is at `x`, `y`."""

    x: int
    y: int
    text: str
    colour: Colour
    size: int
    centred: bool = False


def frame(pixels: Pixels, edges: Edges, colour: Colour, line: int) -> None:
    """A rectangle with rounded corners and a white halo, drawn into `pixels`."""
    left, top, right, bottom = edges
    corner = max(min((right - left) // 4, (bottom - top) // 4, 5 * line), 1)
    path = _rounded(edges, corner)
    cv2.polylines(pixels, [path], True, WHITE, line + _HALO, cv2.LINE_AA)
    cv2.polylines(pixels, [path], True, colour, line, cv2.LINE_AA)


def tint(pixels: Pixels, polygon: NDArray[np.int32], colour: Colour, line: int) -> None:
    """A see-through patch with a thin outline, for what must stay legible under it."""
    height, width = pixels.shape[:2]
    left, top = np.clip(polygon.min(axis=0), 0, (width - 1, height - 1))
    right, bottom = np.clip(polygon.max(axis=0) + 1, 1, (width, height))
    part = pixels[top:bottom, left:right]
    filled = part.copy()
    cv2.fillPoly(filled, [polygon - np.asarray((left, top), np.int32)], colour, cv2.LINE_AA)
    part[:] = cv2.addWeighted(part, 0.8, filled, 0.2, 0)
    cv2.polylines(pixels, [polygon], True, colour, max(1, line // 3), cv2.LINE_AA)


def dot(pixels: Pixels, x: int, y: int, colour: Colour, line: int) -> None:
    cv2.circle(pixels, (x, y), line + 1, WHITE, -1, cv2.LINE_AA)
    cv2.circle(pixels, (x, y), line, colour, -1, cv2.LINE_AA)


def put(image: Image.Image, tags: Sequence[Tag]) -> None:
    """Draw tags, moved where they would leave the picture or cover one another."""
    taken: list[Edges] = []
    draw = ImageDraw.Draw(image)
    for tag in tags:
        text, pad = drawable(tag.text), max(2, round(tag.size / 4))
        place = _free_place(image, tag, _size(text, tag.size, pad), taken)
        taken.append(place)
        draw.rounded_rectangle(place, radius=pad, fill=tag.colour)
        middle = (place[1] + place[3]) / 2
        draw.text((place[0] + pad, middle), text, fill=WHITE, font=font(tag.size), anchor="lm")


def _size(text: str, size: int, pad: int) -> tuple[int, int]:
    return round(font(size).getlength(text)) + 2 * pad, round(size * 1.15) + pad


def _free_place(image: Image.Image, tag: Tag, size: tuple[int, int], taken: Sequence[Edges]) -> Edges:
    """Where the tag goes: at its place, or below those that are there already."""
    width, height = size
    left, top = (tag.x - width // 2, tag.y - height // 2) if tag.centred else (tag.x, tag.y - height)
    left = min(max(left, 0), max(image.width - width, 0))
    top = min(max(top, 0), max(image.height - height, 0))
    for other in sorted(taken, key=lambda edges: edges[1]):
        crosses = left < other[2] and other[0] < left + width and top < other[3] and other[1] < top + height
        if crosses and other[3] + 1 + height <= image.height:
            top = other[3] + 1
    return left, top, left + width, top + height


def _rounded(edges: Edges, corner: int) -> NDArray[np.int32]:
    """The outline as a closed line of points."""
    left, top, right, bottom = edges
    arcs = []
    for (x, y), start in (
        ((right - corner, bottom - corner), 0),
        ((left + corner, bottom - corner), 90),
        ((left + corner, top + corner), 180),
        ((right - corner, top + corner), 270),
    ):
        arcs.append(cv2.ellipse2Poly((x, y), (corner, corner), 0, start, start + 90, 15))
    return np.concatenate(arcs).astype(np.int32)
