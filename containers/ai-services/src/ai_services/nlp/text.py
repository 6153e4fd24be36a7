"""Text as the engines can take it, with every offset still that of the text as it was sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_SENTENCE = 2_000  # beyond it brackets are not looked at: time stays linear in the text

_CONTROL = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127, 0xFEFF), " ")

_CLOSING = "」』）】〉》”’\"')]"
# A sentence ends after 。！？ wherever they stand, after . ! ? before white space, and with its line.
_END = re.compile(rf"[。！？｡]+[{re.escape(_CLOSING)}]*|[.!?…]+[{re.escape(_CLOSING)}]*(?=\s|$)|\n+")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Gen|Rep|Sen|Gov|Lt|Col|vs|etc|e\.g|i\.e|cf|al|No|Fig|Eq|pp?|"
    r"Inc|Ltd|Co|Corp|approx|dept|est|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|[A-Za-z](?:\.[A-Za-z])+)\.$"
)
_INITIALISM_END = re.compile(r"[A-Za-z]\.[A-Za-z]\.$")
_OPENING = "「『（(“【〈《"


@dataclass(frozen=True)
class Piece:
    """A part of a longer text: what it says, and where it starts there (in code points)."""

    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def clean(text: str) -> str:
    """Control characters (NUL too) and byte order marks as blanks, so that nothing moves."""
    return text.translate(_CONTROL)


def sentences(text: str) -> list[Piece]:
    """The sentences of a text in any language, without the white space around them."""
    return [piece for piece in map(_stripped, _cut_at_ends(text)) if piece.text]


def _cut_at_ends(text: str) -> Iterator[Piece]:
    start = 0
    for match in _END.finditer(text):
        if not _is_end(text, start, match):
            continue
        yield Piece(text[start : match.end()], start)
        start = match.end()
    if start < len(text):
        yield Piece(text[start:], start)


def _is_end(text: str, start: int, match: re.Match[str]) -> bool:
    if match.group()[0] in "。！？｡":
        return not _inside_quotation(text, start, match)
    if match.group()[0] != ".":
        return True
    before = text[max(start, match.end() - 12) : match.end()]
    after = text[match.end() : match.end() + 3].lstrip()
    if _INITIALISM_END.search(before):
        # "in the U.S. economy" goes on, "in the U.S. The" does not.
        return not after[:1].islower()
    return not _ABBREVIATION.search(before)


def _inside_quotation(text: str, start: int, match: re.Match[str]) -> bool:
    """「はい。」と言った。is one sentence: the stop in the bracket and the bracket itself end nothing."""
    if match.start() - start > LONGEST_SENTENCE:
        return False
    opened = sum(text.count(mark, start, match.start()) for mark in "「『（")
    closed = sum(text.count(mark, start, match.end()) for mark in "」』）")
    if opened > closed:
        # A bracket that is never closed must not swallow the rest of the text.
        return bool(re.search("[」』）]", text[match.end() : match.end() + 200]))
    return match.group()[-1] in "」』" and bool(
        re.match("[とっはがをの]", text[match.end() : match.end() + 1])
    )


def _stripped(piece: Piece) -> Piece:
    left = piece.text.lstrip()
    return Piece(left.rstrip(), piece.start + len(piece.text) - len(left))


def pieces(text: str, limit: int) -> list[Piece]:
    """Cut a text into parts of at most `limit` characters, between sentences where possible, losing nothing.

    A sentence that is longer is cut after white space or a comma, and failing that, anywhere.
    """
    if len(text) <= limit:
        return [Piece(text, 0)]
    parts: list[Piece] = []
    start = 0
    while start < len(text):
        end = _cut(text, start, limit)
        parts.append(Piece(text[start:end], start))
        start = end
    return parts


def _cut(text: str, start: int, limit: int) -> int:
    end = start + limit
    if end >= len(text):
        return len(text)
    window = text[start:end]
    last_sentence = max((match.end() for match in _END.finditer(window)), default=0)
    # A mark at the very end of the window only looks like an end: what follows is not in the window.
    if limit // 2 < last_sentence < limit:
        return start + last_sentence
    breaks = [window.rfind(mark) for mark in (" ", "\n", "、", "，", "　", "。")]
    return start + max(breaks) + 1 if max(breaks) > limit // 2 else end


def has_letters(text: str) -> bool:
    return any(character.isalpha() for character in text)


__all__ = ["Piece", "clean", "has_letters", "pieces", "sentences"]
