"""Annotated pictures."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ai_semble.schemas.vision import (
    Box,
    DetectedObject,
    Face,
    ImageInfo,
    Label,
    Landmarks,
    Point,
    Text,
    TextLine,
    VisionResponse,
    VisionTask,
)
from ai_services.vision.drawing.annotate import annotated
from ai_services.vision.drawing.fonts import drawable, font, wrapped
from ai_services.vision.drawing.palette import FACE, TEXT, distinct
from ai_services.vision.imaging.picture import Picture


def picture(width: int = 400, height: int = 300, *, shrunk: int = 1) -> Picture:
    pixels = np.full((height // shrunk, width // shrunk, 3), 128, np.uint8)
    return Picture(pixels, width, height, "PNG")


def answer(task: VisionTask = VisionTask.ANALYZE, **parts: object) -> VisionResponse:
    info = ImageInfo(width=400, height=300, format="PNG")
    return VisionResponse.model_validate({"task": task, "models": {}, "image": info, "timings": {}} | parts)


def line(text: str, x: int, y: int, width: int, height: int) -> TextLine:
    corners = tuple(
        Point(x=left, y=top)
        for left, top in ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    )
    box = Box(x=x, y=y, width=width, height=height)
    return TextLine.model_validate({"text": text, "score": 0.9, "box": box, "polygon": corners})


def near(image: Image.Image, x: int, y: int, colour: tuple[int, int, int]) -> bool:
    found = np.asarray(image)[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].reshape(-1, 3).astype(int)
    return bool((np.abs(found - colour).max(axis=1) < 12).any())


DOG = DetectedObject(label="dog", score=0.9, box=Box(x=100, y=100, width=200, height=120))


@pytest.mark.parametrize("shrunk", [1, 2])
def test_an_object_is_framed_where_it_is(shrunk: int) -> None:
    drawn = annotated(picture(shrunk=shrunk), answer(VisionTask.DETECT, objects=(DOG,)))
    assert drawn.size == (400 // shrunk, 300 // shrunk)
    for x, y in ((100, 160), (300, 160), (200, 220)):
        assert near(drawn, x // shrunk, y // shrunk, distinct(0))
    assert drawn.getpixel((200 // shrunk, 160 // shrunk)) == (128, 128, 128)


def test_different_kinds_have_different_colours() -> None:
    cat = DetectedObject(label="cat", score=0.8, box=Box(x=10, y=200, width=60, height=60))
    drawn = annotated(picture(), answer(VisionTask.DETECT, objects=(DOG, cat)))
    assert near(drawn, 100, 160, distinct(0))
    assert near(drawn, 40, 260, distinct(1))


def test_faces_and_text_are_marked() -> None:
    place = Point(x=150, y=150)
    marks = Landmarks(
        right_eye=place, left_eye=place, nose=place, mouth=place, right_ear=place, left_ear=place
    )
    face = Face(score=0.9, box=Box(x=120, y=120, width=60, height=60), landmarks=marks)
    text = Text(content="hello", lines=(line("hello", 200, 20, 150, 30),))
    drawn = annotated(picture(), answer(faces=(face,), text=text))
    assert near(drawn, 120, 150, FACE)
    assert near(drawn, 150, 150, FACE)
    assert near(drawn, 275, 20, TEXT)


def test_the_sheet_stands_beside_a_picture_and_below_a_wide_one() -> None:
    said = answer(VisionTask.CLASSIFY, labels=(Label(label="espresso", score=0.9),))
    beside, below = annotated(picture(), said), annotated(picture(800, 200), said)
    assert beside.width > 400
    assert beside.height == 300
    assert below.width == 800
    assert below.height > 200


def test_what_touches_the_edge_is_drawn_inside() -> None:
    box = Box(x=0, y=0, width=400, height=300)
    whole = DetectedObject(label="a thing with quite a long name", score=1, box=box)
    drawn = annotated(picture(), answer(VisionTask.DETECT, objects=(whole, whole, whole)))
    assert near(drawn, 2, 150, distinct(0))
    assert near(drawn, 397, 150, distinct(0))


@pytest.mark.parametrize("size", [(8, 8), (3000, 20), (20, 3000)])
def test_extreme_shapes_can_be_drawn_on(size: tuple[int, int]) -> None:
    lines = tuple(line("text 日本語", 0, 0, 6, 4) for _ in range(200))
    said = answer(objects=(DOG,), text=Text(content="", lines=lines), description="A sentence.")
    assert annotated(picture(*size), said).width >= size[0]


def test_the_picture_itself_is_not_changed() -> None:
    original = picture()
    annotated(original, answer(VisionTask.DETECT, objects=(DOG,)))
    assert (original.pixels == 128).all()


def test_characters_that_the_font_lacks_are_boxes() -> None:
    assert drawable("Total ¥5 合計 ガッツ") == "Total ¥5 合計 ガッツ"
    assert drawable("简😀") == "□□"


def test_text_is_wrapped_between_words_and_between_kanji() -> None:
    face = font(20)
    assert wrapped("one two three", face, face.getlength("one two t")) == ["one two", "three"]
    assert "".join(wrapped("吾輩は猫である。", face, 65)) == "吾輩は猫である。"
    assert all(not piece.startswith("。") for piece in wrapped("あああ。あああ。", face, 61))
    assert wrapped("", face, 100) == []
