"""The picture with everything that was found in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ai_semble.schemas.vision import Box, Face, Point, VisionResponse
from ai_services.vision.drawing.marks import Style, Tag, dot, frame, put, tint
from ai_services.vision.drawing.palette import FACE, TEXT, Colour, distinct
from ai_services.vision.drawing.panel import Panel
from ai_services.vision.imaging.picture import Picture, Pixels

_WIDE = 1.5


def annotated(picture: Picture, answer: VisionResponse) -> Image.Image:
    """The upright picture with boxes and outlines, and a sheet with the words beside or below it.

    The picture is at the upper left and as large as the original, up to 12.5 megapixels.
    """
    canvas = _Canvas(picture)
    canvas.draw_text(answer)
    canvas.draw_objects(answer)
    canvas.draw_faces(answer.faces or ())
    return _with_panel(canvas.finished(), answer)


class _Canvas:
    """A copy of the picture; shapes are drawn at once, name tags at the end, above all shapes."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._pixels: Pixels = picture.pixels.copy()
        height, width = self._pixels.shape[:2]
        self._style = Style.of(width, height)
        self._tags: list[Tag] = []

    def draw_text(self, answer: VisionResponse) -> None:
        for position, line in enumerate(answer.text.lines if answer.text else (), start=1):
            corners = np.asarray([self._place(point) for point in line.polygon], np.int32)
            tint(self._pixels, corners, TEXT, self._style.line)
            self._tags.append(self._number(position, corners))

    def draw_objects(self, answer: VisionResponse) -> None:
        kinds: dict[str, Colour] = {}
        for found in answer.objects or ():
            colour = kinds.setdefault(found.label, distinct(len(kinds)))
            self._frame(found.box, f"{found.label} {found.score:.0%}", colour)

    def draw_faces(self, faces: tuple[Face, ...]) -> None:
        for face in faces:
            self._frame(face.box, f"face {face.score:.0%}", FACE)
            marks = face.landmarks
            for point in (marks.right_eye, marks.left_eye, marks.nose, marks.mouth):
                dot(self._pixels, *self._place(point), FACE, max(1, self._style.line // 2))

    def finished(self) -> Image.Image:
        image = Image.fromarray(self._pixels)
        put(image, self._tags)
        return image

    def _number(self, position: int, corners: NDArray[np.int32]) -> Tag:
        """The line's number, before its beginning in the direction in which it runs."""
        height = float(np.linalg.norm(corners[3] - corners[0]))
        size = max(9, min(round(height * 0.6), round(self._style.letters * 0.7)))
        along = (corners[1] - corners[0]) / max(float(np.linalg.norm(corners[1] - corners[0])), 1)
        x, y = (corners[0] + corners[3]) / 2 - along * (size + self._style.line)
        return Tag(round(x), round(y), str(position), TEXT, size, centred=True)

    def _frame(self, box: Box, text: str, colour: Colour) -> None:
        left, top = self._place(Point(x=box.x, y=box.y))
        right, bottom = self._place(Point(x=box.x + box.width, y=box.y + box.height))
        edge = self._style.line // 2
        height, width = self._pixels.shape[:2]
        left, top = max(left, edge), max(top, edge)
        right, bottom = min(right, width - 1 - edge), min(bottom, height - 1 - edge)
        frame(self._pixels, (left, top, right, bottom), colour, self._style.line)
        self._tags.append(Tag(left - edge, top, text, colour, round(self._style.letters * 0.9)))

    def _place(self, point: Point) -> tuple[int, int]:
        """A point of the original on the canvas."""
        across, down = self._picture.scale
        return round(point.x / across), round(point.y / down)


def _with_panel(image: Image.Image, answer: VisionResponse) -> Image.Image:
    """The sheet stands at the right, or below a wide picture."""
    below = image.width > _WIDE * image.height
    panel = _fitting_panel(image, answer, below=below)
    if panel is None:
        return image
    sheet = panel.drawn(0 if below else image.height)
    place = (0, image.height) if below else (image.width, 0)
    size = max(image.width, place[0] + sheet.width), max(image.height, place[1] + sheet.height)
    whole = Image.new("RGB", size, "white")
    whole.paste(image, (0, 0))
    whole.paste(sheet, place)
    return whole


def _fitting_panel(image: Image.Image, answer: VisionResponse, *, below: bool) -> Panel | None:
    """The sheet in letters as large as can be for it to be no higher than the picture's longer side."""
    side = (image.width * image.height) ** 0.5
    panel = None
    for part in (42, 50, 60, 72, 86):
        letters = min(max(round(side / part), 14), 60)
        width = max(image.width, 18 * letters) if below else 20 * letters
        panel = Panel.of(answer, width, letters)
        if panel is None or panel.height <= max(image.size):
            break
    return panel
