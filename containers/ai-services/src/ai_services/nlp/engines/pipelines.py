"""spaCy pipelines: names in Japanese (GiNZA) and in English, words in English."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ai_services.nlp.engines.japanese import JapaneseWords
from ai_services.nlp.text import Piece, clean, pieces

_BATCH = 8


@dataclass(frozen=True)
class Name:
    """Something named in a text, with the model's own label."""

    text: str
    start: int
    end: int
    label: str


@dataclass(frozen=True)
class EnglishWord:
    """One word with its lemma, universal part of speech and Penn Treebank tag."""

    text: str
    start: int
    end: int
    lemma: str
    pos: str
    tag: str


Check = Callable[[], None]


class _Pipeline:
    """A spaCy pipeline for one thread at a time, for texts of any length."""

    piece_characters: int
    not_for_names: tuple[str, ...] = ()

    def __init__(self, nlp: Any) -> None:
        self._nlp = nlp
        self._lock = threading.Lock()

    def _documents(
        self, texts: Sequence[str], disable: Sequence[str], check: Check
    ) -> Iterator[tuple[int, Piece, Any]]:
        """Number of the text, piece of it, and spaCy's document of the piece."""
        cut = [
            (number, piece)
            for number, text in enumerate(texts)
            for piece in pieces(clean(text), self.piece_characters)
        ]
        for first in range(0, len(cut), _BATCH):
            check()
            batch = cut[first : first + _BATCH]
            # Words that spaCy has not met before are forgotten again when the zone is left.
            with self._lock, self._nlp.memory_zone():
                made = [self._make(piece.text) for _, piece in batch]
                done = self._nlp.pipe(made, batch_size=_BATCH, disable=list(disable))
                for (number, piece), document in zip(batch, done, strict=True):
                    yield number, piece, document

    def _make(self, text: str) -> Any:
        return self._nlp.make_doc(text)

    def names(self, texts: Sequence[str], check: Check = lambda: None) -> list[list[Name]]:
        """What is named in each text, in order."""
        found: list[list[Name]] = [[] for _ in texts]
        for number, piece, document in self._documents(texts, self.not_for_names, check):
            found[number] += [
                Name(
                    text=texts[number][piece.start + item.start_char : piece.start + item.end_char],
                    start=piece.start + item.start_char,
                    end=piece.start + item.end_char,
                    label=item.label_,
                )
                for item in document.ents
            ]
        return found


class EnglishPipeline(_Pipeline):
    """Names and words of English."""

    piece_characters = 2_000
    # The recogniser has word vectors of its own.
    not_for_names = ("tok2vec", "tagger", "attribute_ruler", "lemmatizer")

    @classmethod
    def open(cls, folder: Path) -> EnglishPipeline:
        """Open the folder of a pipeline such as en_core_web_sm, without its syntax parser."""
        import spacy  # noqa: PLC0415 - half a second and 65 MB

        nlp = spacy.load(folder, exclude=["parser", "senter"])
        _use_fast_matrices(nlp)
        return cls(nlp)

    def words(self, texts: Sequence[str], check: Check = lambda: None) -> list[list[EnglishWord]]:
        """The words and signs of each text, white space left out."""
        found: list[list[EnglishWord]] = [[] for _ in texts]
        for number, piece, document in self._documents(texts, ("ner",), check):
            found[number] += [
                EnglishWord(
                    text=texts[number][piece.start + item.idx : piece.start + item.idx + len(item)],
                    start=piece.start + item.idx,
                    end=piece.start + item.idx + len(item),
                    lemma=item.lemma_,
                    pos=item.pos_,
                    tag=item.tag_,
                )
                for item in document
                if not item.is_space
            ]
        return found


class JapaneseNames(_Pipeline):
    """Names in Japanese. Words come from the Sudachi that the other tasks use too."""

    piece_characters = 500
    _EXCLUDED = (
        "parser",
        "morphologizer",
        "attribute_ruler",
        "compound_splitter",
        "bunsetu_recognizer",
        # 480,000 spellings of word vectors, 110 MB: vectors are found by hash, so nothing reads them.
        "strings",
    )

    def __init__(self, nlp: Any, words: JapaneseWords) -> None:
        super().__init__(nlp)
        self._words = words
        nlp.tokenizer.tokenizer = words.tokenizer

    @classmethod
    def open(cls, folder: Path, words: JapaneseWords) -> JapaneseNames:
        """Open GiNZA's folder with what names need: word vectors and the recogniser."""
        import spacy  # noqa: PLC0415

        nlp = spacy.load(folder, exclude=list(cls._EXCLUDED))
        _use_fast_matrices(nlp)
        return cls(nlp, words)

    def _make(self, text: str) -> Any:
        with self._words.lock:
            return self._nlp.make_doc(text)


def _use_fast_matrices(nlp: Any) -> None:
    """NumPy's OpenBLAS, not spaCy's BLIS: its wheels hold only the generic kernels, half as fast."""
    for _, component in nlp.pipeline:
        model = getattr(component, "model", None)
        for node in model.walk() if model is not None else ():
            node.ops.use_blis = False
