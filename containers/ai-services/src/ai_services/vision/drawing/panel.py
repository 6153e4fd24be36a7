"""The sheet beside an annotated picture: the sentence, the labels as bars, the text line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from ai_semble.schemas.vision import Label, Safety, TextLine, VisionResponse
from ai_services.vision.drawing.fonts import drawable, font, wrapped
from ai_services.vision.drawing.palette import FAINT, INK, RULE, SAFE, TEXT, UNSAFE, WHITE, Colour, distinct

_MOST_LINES = 80


Section = Callable[["_Sheet"], None]


@dataclass
class _Sheet:
    """A column that is filled from the top. Without an image it only measures."""

    width: int
    letters: int
    draw: ImageDraw.ImageDraw | None = None
    y: float = 0

    def text(self, text: str, *, colour: Colour = INK, indent: float = 0, size: float = 1) -> None:
        face = font(round(self.letters * size))
        for line in wrapped(drawable(text), face, self.width - 2 * self.letters - indent):
            if self.draw:
                self.draw.text((self.letters + indent, self.y), line, fill=colour, font=face)
            self.y += face.size * 1.45

    def beside(self, text: str, *, colour: Colour) -> None:
        """At the right edge of the line that comes next."""
        if self.draw:
            place = (self.width - self.letters, self.y)
            self.draw.text(place, text, fill=colour, font=font(self.letters), anchor="ra")

    def badge(self, text: str, *, colour: Colour) -> None:
        """A number on a plate at the left edge of the line that comes next."""
        if self.draw:
            face = font(round(self.letters * 0.75))
            box = (
                self.letters,
                self.y + self.letters * 0.15,
                self.letters * 2.7,
                self.y + self.letters * 1.35,
            )
            self.draw.rounded_rectangle(box, radius=self.letters / 4, fill=colour)
            middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            self.draw.text(middle, text, fill=WHITE, font=face, anchor="mm")

    def bar(self, share: float, colour: Colour) -> None:
        thickness, length = max(3, self.letters // 3), self.width - 2 * self.letters
        if self.draw:
            top = self.y + thickness / 2
            for part, fill in ((1.0, RULE), (share, colour)):
                right = self.letters + max(length * part, thickness)
                box = (self.letters, top, right, top + thickness)
                self.draw.rounded_rectangle(box, radius=thickness / 2, fill=fill)
        self.y += thickness * 2.6

    def space(self, lines: float) -> None:
        self.y += self.letters * lines


@dataclass(frozen=True)
class Panel:
    """What the sheet will say, in letters of a size, in a column of a width."""

    sections: Sequence[Section]
    width: int
    letters: int

    @classmethod
    def of(cls, answer: VisionResponse, width: int, letters: int) -> Panel | None:
        """None where there is nothing to say."""
        sections = _sections(answer)
        return cls(sections, width, letters) if sections else None

    @property
    def height(self) -> int:
        """As high as its contents need."""
        return round(_fill(_Sheet(self.width, self.letters), self.sections))

    def drawn(self, least_height: int) -> Image.Image:
        image = Image.new("RGB", (self.width, max(self.height, least_height)), WHITE)
        _fill(_Sheet(self.width, self.letters, ImageDraw.Draw(image)), self.sections)
        return image


def _fill(sheet: _Sheet, sections: Sequence[Section]) -> float:
    sheet.space(1)
    for write in sections:
        write(sheet)
        sheet.space(0.9)
    return sheet.y


def _sections(answer: VisionResponse) -> list[Section]:
    sections: list[Section] = []
    if answer.description:
        sentence = answer.description
        sections.append(lambda sheet: sheet.text(sentence, size=1.1))
    if answer.labels:
        labels = answer.labels
        sections.append(lambda sheet: _labels(sheet, labels))
    if answer.text and answer.text.lines:
        lines = answer.text.lines
        sections.append(lambda sheet: _lines(sheet, lines))
    if answer.safety:
        safety = answer.safety
        sections.append(lambda sheet: _safety(sheet, safety))
    return sections


def _labels(sheet: _Sheet, labels: Sequence[Label]) -> None:
    sheet.text("Labels", colour=FAINT, size=0.85)
    for label in labels:
        sheet.beside(f"{label.score:.0%}", colour=FAINT)
        sheet.text(label.label)
        sheet.bar(label.score, distinct(0))


def _lines(sheet: _Sheet, lines: Sequence[TextLine]) -> None:
    sheet.text("Text", colour=FAINT, size=0.85)
    for position, line in enumerate(lines[:_MOST_LINES], start=1):
        sheet.badge(str(position), colour=TEXT)
        sheet.text(line.text, indent=sheet.letters * 2.3)
    if len(lines) > _MOST_LINES:
        sheet.text(f"and {len(lines) - _MOST_LINES} more lines", colour=FAINT)


def _safety(sheet: _Sheet, safety: Safety) -> None:
    sheet.text("Safety", colour=FAINT, size=0.85)
    sheet.beside(f"unsafe {safety.unsafe_score:.0%}", colour=FAINT)
    sheet.text("fit for work" if safety.safe else "may not be fit for work")
    sheet.bar(safety.unsafe_score, SAFE if safety.safe else UNSAFE)
