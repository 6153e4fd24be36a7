"""Letters for drawing: Noto Sans JP (SIL OFL 1.1), which has Latin, kana and 14,000 kanji."""

from __future__ import annotations

from functools import lru_cache

import pylopdf_fonts_jp
from PIL import ImageFont

Font = ImageFont.FreeTypeFont
_NOT_A_CHARACTER = "\uffff"
_FIRST_WIDE = 0x2E80
_NEVER_FIRST = "、。，．・：；？！）」』】〉》ーぁぃぅぇぉっゃゅょァィゥェォッャュョ,.:;?!)]}％"


@lru_cache(maxsize=16)
def font(size: int) -> Font:
    """The font at a size in pixels."""
    return ImageFont.truetype(pylopdf_fonts_jp.sans_path(), size)


def drawable(text: str) -> str:
    """The text with `□` for characters that the font lacks (simplified Chinese, emoji, ...)."""
    return "".join(character if _has(character) else "□" for character in text)


@lru_cache(maxsize=4096)
def _has(character: str) -> bool:
    """A character that the font lacks is drawn like one that no font has."""
    if character.isspace():
        return True
    small = font(16)
    return bytes(small.getmask(character)) != bytes(small.getmask(_NOT_A_CHARACTER))


def wrapped(text: str, face: Font, width: float) -> list[str]:
    """The text in lines no wider than `width`, broken at spaces, or anywhere in text without spaces."""
    lines: list[str] = []
    line = ""
    for piece in _pieces(text):
        if line and face.getlength(line + piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return [*lines, line.rstrip()] if line.strip() else lines


def _pieces(text: str) -> list[str]:
    """Words with the space after them; single characters of scripts that have no spaces."""
    pieces = [""]
    for character in text:
        if pieces[-1] and _may_break(pieces[-1][-1], character):
            pieces.append("")
        pieces[-1] += character
    return pieces


def _may_break(before: str, after: str) -> bool:
    """Whether a line may end between two characters; Japanese lines never begin with a full stop."""
    if after in _NEVER_FIRST:
        return False
    return before.isspace() or ord(before) >= _FIRST_WIDE or ord(after) >= _FIRST_WIDE
