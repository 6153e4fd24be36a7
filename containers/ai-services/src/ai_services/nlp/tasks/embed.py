"""Vectors of texts, and how alike they are."""

from __future__ import annotations

import numpy as np

from ai_semble.schemas.nlp import EmbedRequest, SimilarityRequest
from ai_services.nlp.engines.encoder import Vectors
from ai_services.nlp.tools import Result, Tools


def embed(request: EmbedRequest, tools: Tools) -> list[Result]:
    """One unit vector a text."""
    rows = tools.encoder.encode(request.all_texts(), tools.check)
    return [{"embedding": row} for row in rows]


def similarity(request: SimilarityRequest, tools: Tools) -> list[Result]:
    """The cosine of each text with `other`; without it, one result: the matrix of all texts."""
    texts = request.all_texts()
    if request.other is not None:
        vectors = tools.encoder.encode([*texts, request.other], tools.check)
        return [{"score": score} for score in cosines(vectors[:-1], vectors[-1:])[:, 0]]
    vectors = tools.encoder.encode(texts, tools.check)
    return [{"matrix": cosines(vectors, vectors)}]


def cosines(left: Vectors, right: Vectors) -> Vectors:
    """Cosine of each row of `left` with each of `right`, to four places: float32, (left, right)."""
    rounded: Vectors = np.ascontiguousarray(np.clip(left @ right.T, -1, 1).round(4), dtype=np.float32)
    return rounded
