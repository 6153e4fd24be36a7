"""The most telling sentences: LexRank over sentence vectors, then as little repetition as possible."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ai_semble.schemas.nlp import SummarizeRequest
from ai_services.nlp.engines.encoder import Vectors, unit
from ai_services.nlp.text import Piece, clean, sentences
from ai_services.nlp.tools import Document, Result, Tools

# The graph of sentences takes the square of their number: 16 MB for these.
_MOST_SENTENCES = 2_000
_DAMPING = 0.85
_FOR_RELEVANCE = 0.8
_LEAST_LETTERS = 4


def summarize(request: SummarizeRequest, tools: Tools) -> list[Result]:
    """At most `sentences` sentences of each text, in its order."""
    return [_summary(document, request.sentences, tools) for document in tools.any_documents(request)]


def _summary(document: Document, wanted: int, tools: Tools) -> Result:
    tools.check()
    found = sentences(clean(document.text))
    telling = [piece for piece in found if sum(map(str.isalnum, piece.text)) >= _LEAST_LETTERS] or found
    chosen, scores = _choose(telling, wanted, tools)
    return {
        "summary": _joined(document, [telling[place] for place in chosen]),
        "sentences": [
            {
                "text": document.text[telling[place].start : telling[place].end],
                "start": telling[place].start,
                "end": telling[place].end,
                "score": round(float(scores[place]), 4),
            }
            for place in chosen
        ],
        "sentences_in_text": len(found),
        "language": document.language,
    }


def _choose(found: list[Piece], wanted: int, tools: Tools) -> tuple[list[int], npt.NDArray[np.float32]]:
    """Places of the chosen sentences in ascending order, and the score of every sentence (the best has 1)."""
    if not found:
        return [], np.empty(0, dtype=np.float32)
    vectors = tools.encoder.encode([piece.text for piece in found], tools.check)
    kept = _nearest_to_the_middle(vectors)
    scores = np.zeros(len(found), dtype=np.float32)
    scores[kept] = centrality(vectors[kept])
    chosen = spread(vectors[kept], scores[kept], wanted, _FOR_RELEVANCE)
    return sorted(int(kept[place]) for place in chosen), scores


def _nearest_to_the_middle(vectors: Vectors) -> npt.NDArray[np.int64]:
    """Places of the sentences that take part: all, or of a very long text those nearest to its middle."""
    if len(vectors) <= _MOST_SENTENCES:
        return np.arange(len(vectors))
    nearness = vectors @ unit(vectors.mean(axis=0))
    return np.sort(np.argsort(-nearness)[:_MOST_SENTENCES])


def centrality(vectors: Vectors) -> npt.NDArray[np.float32]:
    """LexRank: a sentence counts as much as the sentences that are like it count. The highest is 1."""
    alike = np.maximum(vectors @ vectors.T, 0)
    # A sentence does not speak for itself; one that is like no other speaks for all alike.
    np.fill_diagonal(alike, 0)
    alike[alike.sum(axis=1) == 0] = 1
    alike /= alike.sum(axis=1, keepdims=True)
    rank: npt.NDArray[np.float32] = np.full(len(vectors), 1 / len(vectors), dtype=np.float32)
    for _ in range(50):
        before = rank
        rank = ((1 - _DAMPING) / len(vectors) + _DAMPING * (alike.T @ rank)).astype(np.float32)
        if np.abs(rank - before).sum() < 1e-6:
            break
    result: npt.NDArray[np.float32] = rank / rank.max()
    return result


def spread(vectors: Vectors, scores: npt.NDArray[np.float32], wanted: int, relevance: float) -> list[int]:
    """Maximal marginal relevance: the best that is least like what is chosen already, one after the other.

    `relevance` from 0 (only difference counts) to 1 (only the scores count). Places in order of choice.
    """
    chosen: list[int] = []
    nearest = np.zeros(len(scores), dtype=np.float32)
    for _ in range(min(wanted, len(scores))):
        gain = relevance * scores - (1 - relevance) * nearest
        gain[chosen] = -np.inf
        best = int(gain.argmax())
        chosen.append(best)
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return chosen


def _joined(document: Document, chosen: list[Piece]) -> str:
    gap = "" if document.language in ("ja", "zh", "th") else " "
    return gap.join(document.text[piece.start : piece.end] for piece in chosen)
