"""Colours that can be told apart on any picture and carry white text."""

from __future__ import annotations

from typing import Final

Colour = tuple[int, int, int]

_DISTINCT: Final[tuple[Colour, ...]] = (
    (37, 99, 235),
    (219, 39, 119),
    (22, 163, 74),
    (234, 88, 12),
    (124, 58, 237),
    (13, 148, 136),
    (220, 38, 38),
    (161, 98, 7),
    (2, 132, 199),
    (190, 24, 93),
)
FACE: Final[Colour] = (217, 119, 6)
TEXT: Final[Colour] = (13, 116, 144)
SAFE: Final[Colour] = (22, 163, 74)
UNSAFE: Final[Colour] = (220, 38, 38)

WHITE: Final[Colour] = (255, 255, 255)
INK: Final[Colour] = (17, 24, 39)
FAINT: Final[Colour] = (107, 114, 128)
RULE: Final[Colour] = (229, 231, 235)


def distinct(index: int) -> Colour:
    """A colour for the index-th kind of thing in a picture; they repeat after ten."""
    return _DISTINCT[index % len(_DISTINCT)]
