"""Japanese words, by Sudachi: where they are, what they are, how they are read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ai_services.nlp.text import clean, pieces

# Sudachi takes at most 49,149 bytes of UTF-8 at once; a code point has at most four.
PIECE_CHARACTERS = 10_000

Mode = Literal["A", "B", "C"]


@dataclass(frozen=True)
class Word:
    """One word. `tag` is Sudachi's part of speech, the parts joined by hyphens."""

    text: str
    start: int
    end: int
    lemma: str
    normalized: str
    reading: str
    tag: str


class JapaneseWords:
    """Thread-safe. The dictionary (200 MB) is mapped from the file, not read into memory."""

    def __init__(self, tokenizer: Any, modes: dict[Mode, Any]) -> None:
        self.tokenizer = tokenizer
        self.lock = threading.Lock()  # a Sudachi tokenizer refuses a second thread
        self._modes = modes

    @classmethod
    def open(cls, _: Path) -> JapaneseWords:
        """Open the core dictionary, which is installed as a library."""
        import sudachipy  # noqa: PLC0415 - 40 MB that English alone need not have

        mode = sudachipy.SplitMode
        return cls(sudachipy.Dictionary(dict="core").create(), {"A": mode.A, "B": mode.B, "C": mode.C})

    def words(self, text: str, mode: Mode = "C") -> list[Word]:
        """All words and signs of a text of any length, white space left out."""
        return [
            Word(
                text=text[start + item.begin() : start + item.end()],
                start=start + item.begin(),
                end=start + item.end(),
                lemma=item.dictionary_form(),
                normalized=item.normalized_form(),
                reading=item.reading_form(),
                tag="-".join(part for part in item.part_of_speech()[:4] if part != "*"),
            )
            for start, item in self._morphemes(text, mode)
            if not item.surface().isspace()
        ]

    def surfaces(self, text: str, mode: Mode = "A") -> list[str]:
        """The words alone."""
        return [item.surface() for _, item in self._morphemes(text, mode)]

    def _morphemes(self, text: str, mode: Mode) -> Iterator[tuple[int, Any]]:
        for piece in pieces(clean(text), PIECE_CHARACTERS):
            with self.lock:
                found = self.tokenizer.tokenize(piece.text, self._modes[mode])
            for item in found:
                yield piece.start, item


_UNIVERSAL: tuple[tuple[str, str], ...] = (
    ("名詞-固有名詞", "PROPN"),
    ("名詞-数詞", "NUM"),
    ("名詞", "NOUN"),
    ("代名詞", "PRON"),
    ("動詞", "VERB"),
    ("形容詞", "ADJ"),
    ("形状詞-助動詞語幹", "AUX"),
    ("形状詞", "ADJ"),
    ("連体詞", "DET"),
    ("副詞", "ADV"),
    ("接続詞", "CCONJ"),
    ("感動詞", "INTJ"),
    ("助動詞", "AUX"),
    ("助詞-接続助詞", "SCONJ"),
    ("助詞-終助詞", "PART"),
    ("助詞-準体助詞", "SCONJ"),
    ("助詞", "ADP"),
    ("接頭辞", "NOUN"),
    ("接尾辞-動詞的", "AUX"),
    ("接尾辞-形容詞的", "AUX"),
    ("接尾辞-形状詞的", "AUX"),
    ("接尾辞", "NOUN"),
    ("補助記号", "PUNCT"),
    ("記号", "SYM"),
    ("空白", "SPACE"),
)


def universal_pos(tag: str) -> str:
    """The universal part of speech (UPOS) of a Sudachi tag."""
    return next((pos for prefix, pos in _UNIVERSAL if tag.startswith(prefix)), "X")
