"""What POST /ai/vision/analyze takes and answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ai_semble.schemas.mistakes import CountedMistakes


class VisionTask(StrEnum):
    """What is asked of a picture."""

    ANALYZE = "analyze"
    CLASSIFY = "classify"
    DETECT = "detect"
    OCR = "ocr"
    FACES = "faces"
    SAFETY = "safety"
    EMBED = "embed"


class VisionOptions(CountedMistakes):
    """What to look for. The form fields of a multipart body, or its part `request`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: VisionTask = Field(
        VisionTask.ANALYZE,
        description="`analyze` (labels, objects, text, faces, safety and a sentence), or one of these alone: "
        "`classify` (1,000 ImageNet labels), `detect` (80 kinds of object with boxes), `ocr` (English and "
        "Japanese text), `faces`, `safety` (fit for work or not), `embed` (a vector for similarity).",
        examples=["analyze"],
    )
    top_k: int = Field(5, ge=1, le=100, description="Most labels answered, best first.", examples=[5])
    min_score: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Least score of what is answered. Without it each task has its own: "
        "labels 0.05, objects 0.45, text 0.5, faces 0.65.",
        examples=[0.5],
    )


def _optional(schema: dict[str, Any]) -> None:
    """A field that may be absent, but that has no default and may not be null."""
    schema.pop("default", None)


class VisionRequest(VisionOptions):
    """The JSON body: the options, and the picture as exactly one of `image_url` and `image`."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["image"]}, {"required": ["image_url"]}],
            "examples": [{"image_url": "https://example.com/image.jpg", "task": "analyze"}],
        }
    )

    image_url: str = Field(
        "",
        min_length=1,
        description="Where the picture is: `https:`, `http:` (public addresses only), or a `data:` URL.",
        examples=["https://example.com/image.jpg"],
        json_schema_extra=_optional,
    )
    image: str = Field(
        "",
        min_length=1,
        description="The bytes of the picture file, in base64.",
        examples=["iVBORw0KGgo..."],
        json_schema_extra=_optional,
    )


class VisionForm(VisionOptions):
    """The multipart body, as the API description shows it."""

    image: bytes = Field(
        description="The picture file: PNG, JPEG, WebP, GIF, BMP or TIFF.",
        json_schema_extra={"format": "binary"},
    )


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Point(_Answer):
    """A place in the upright original picture, in pixels from its upper left corner."""

    x: int = Field(description="From the left edge, 0 to the picture's width.", examples=[212])
    y: int = Field(description="From the upper edge, 0 to the picture's height.", examples=[112])


class Box(_Answer):
    """An upright rectangle in pixels of the upright original picture."""

    x: int = Field(description="Left edge.", examples=[172])
    y: int = Field(description="Upper edge.", examples=[74])
    width: int = Field(description="Right edge minus `x`.", examples=[105])
    height: int = Field(description="Lower edge minus `y`.", examples=[106])


class ImageInfo(_Answer):
    """The picture that was sent, after its EXIF rotation."""

    width: int = Field(description="In pixels.", examples=[512])
    height: int = Field(description="In pixels.", examples=[512])
    format: str = Field(description="As found in the bytes, whatever was declared.", examples=["JPEG"])


class Label(_Answer):
    """What the whole picture may be of."""

    label: str = Field(description="An ImageNet-1k class.", examples=["espresso"])
    score: float = Field(description="Probability among the 1,000 labels.", examples=[0.951])


class DetectedObject(_Answer):
    """One thing in the picture."""

    label: str = Field(description="One of the 80 COCO classes.", examples=["cup"])
    score: float = Field(
        description="How sure the detector is of the kind and the place, 0 to 1.", examples=[0.52]
    )
    box: Box


class TextLine(_Answer):
    """One line of text, in reading order."""

    text: str = Field(
        description="The characters as read, single spaces between words.",
        examples=["合計金額 123,456円 税込"],
    )
    score: float = Field(description="Mean probability of its characters.", examples=[0.955])
    box: Box = Field(description="Smallest upright rectangle around the line.")
    polygon: tuple[Point, Point, Point, Point] = Field(
        description="Corners of the line, clockwise from where the text begins."
    )


class Text(_Answer):
    """All text that was read."""

    content: str = Field(description="The lines, joined by line breaks.", examples=["Invoice\n2026-11-22"])
    lines: tuple[TextLine, ...]


class Landmarks(_Answer):
    """Places of a face; right and left are the person's own."""

    right_eye: Point
    left_eye: Point
    nose: Point
    mouth: Point
    right_ear: Point
    left_ear: Point


class Face(_Answer):
    """One face. Who it is, is not asked."""

    score: float = Field(
        description="How sure the detector is that it is a face, 0 to 1; the lower of a first and a closer look.",
        examples=[0.88],
    )
    box: Box
    landmarks: Landmarks


class Safety(_Answer):
    """Whether the picture is fit for work: one number for nudity, none for violence or anything else."""

    safe: bool = Field(description="`unsafe_score` is below `threshold`.", examples=[True])
    unsafe_score: float = Field(description="Probability of nudity.", examples=[0.032])
    threshold: float = Field(description="`vision.unsafe_from` of the configuration, 0 to 1.", examples=[0.5])


class VisionResponse(_Answer):
    """The answer; of the parts, those that the task asks for."""

    task: VisionTask
    models: dict[str, str] = Field(
        description="Which model answered which part.", examples=[{"labels": "efficientnet-lite0"}]
    )
    image: ImageInfo
    description: str | None = Field(
        None,
        description="One sentence, composed from the parts and as sure as their scores are.",
        examples=["The picture shows a cup, and is most likely of an espresso."],
    )
    labels: tuple[Label, ...] | None = None
    objects: tuple[DetectedObject, ...] | None = None
    text: Text | None = None
    faces: tuple[Face, ...] | None = None
    safety: Safety | None = None
    embedding: tuple[float, ...] | None = Field(
        None, description="A vector of length 1; the dot product of two is their pictures' similarity."
    )
    timings: dict[str, float] = Field(
        description="Milliseconds: waiting, decoding, each part, and all.",
        examples=[{"queue_ms": 0.1, "decode_ms": 3.1, "labels_ms": 6.2, "total_ms": 9.6}],
    )
