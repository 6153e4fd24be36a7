"""Calls of vision."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ai_semble_client.answers.vision import Text, VisionAnswer
from ai_semble_client.calls.call import Call, given, reading, words
from ai_semble_client.errors import UnusableFile

Picture = str | Path | bytes
_PATH = "/ai/vision/analyze"


def see(
    picture: Picture, task: str = "analyze", *, top_k: int | None = None, min_score: float | None = None
) -> Call[VisionAnswer]:
    """What is in a picture: a file, its bytes, or a URL that the environment fetches.

    Tasks: analyze (all but embed), classify, detect, ocr, faces, safety, embed.
    """
    read = reading(VisionAnswer)
    if isinstance(picture, str) and picture.startswith(("http://", "https://", "data:")):
        body = given(image_url=picture, task=task, top_k=top_k, min_score=min_score)
        return Call("POST", _PATH, read, json=body)
    form = words(task=task, top_k=top_k, min_score=min_score)
    return Call("POST", _PATH, read, form=form, picture=_content(picture))


def read(picture: Picture, *, min_score: float | None = None) -> Call[Text]:
    """The text in a picture, English or Japanese."""
    asked = see(picture, "ocr", min_score=min_score)
    return Call("POST", _PATH, _text, json=asked.json, form=asked.form, picture=asked.picture)


def draw(
    picture: Picture,
    task: str = "analyze",
    *,
    format: Literal["png", "jpeg"] = "png",
    min_score: float | None = None,
) -> Call[bytes]:
    """The picture with everything that was found drawn into it, as the bytes of a file."""
    asked = see(picture, task, min_score=min_score)
    accept = {"Accept": f"image/{format}"}
    return Call("POST", _PATH, bytes, json=asked.json, form=asked.form, picture=asked.picture, headers=accept)


def _text(body: bytes) -> Text:
    answer = VisionAnswer.model_validate_json(body)
    if answer.text is None:
        raise ValueError("the answer has no text")
    return answer.text


def _content(picture: Picture) -> tuple[str, bytes]:
    if isinstance(picture, bytes):
        return "picture", picture
    path = Path(picture)
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        hint = "Give the path of a picture file, or a URL."
        raise UnusableFile(f"{path} cannot be read: {error.strerror}", hint) from error
