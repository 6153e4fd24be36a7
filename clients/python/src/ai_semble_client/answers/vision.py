"""Answers of vision. Places are pixels of the upright picture, from its upper left corner."""

from __future__ import annotations

from ai_semble_client.answers.base import Answer


class Box(Answer):
    """An upright rectangle."""

    x: int
    y: int
    width: int
    height: int


class ImageInfo(Answer):
    """The picture that was sent."""

    width: int
    height: int
    format: str


class Label(Answer):
    """What the whole picture may be of; `score` is from 0 to 1."""

    label: str
    score: float


class Found(Label):
    """A thing, and where it is."""

    box: Box


class TextLine(Answer):
    """A line of text, in reading order."""

    text: str
    score: float
    box: Box


class Text(Answer):
    """All that was read; `content` is the lines with line breaks between them."""

    content: str
    lines: tuple[TextLine, ...]


class Face(Answer):
    """A face; never whose it is."""

    score: float
    box: Box


class Safety(Answer):
    """Whether it is fit for work: nudity, nothing else."""

    safe: bool
    unsafe_score: float
    threshold: float


class VisionAnswer(Answer):
    """The parts that the task asks for; the others are None."""

    task: str
    models: dict[str, str]
    image: ImageInfo
    description: str | None = None
    labels: tuple[Label, ...] | None = None
    objects: tuple[Found, ...] | None = None
    text: Text | None = None
    faces: tuple[Face, ...] | None = None
    safety: Safety | None = None
    embedding: tuple[float, ...] | None = None
