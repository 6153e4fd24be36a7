"""Which of the caller's labels fits a text, without training: by nearness in meaning.

Scores are calibrated on the half of tests/accuracy/nlp/classify.jsonl that is marked `tune`.
"""

from __future__ import annotations

import re

import numpy as np

from ai_semble.schemas.nlp import ClassifyRequest, LabelWithExamples
from ai_services.nlp.engines.encoder import Vectors
from ai_services.nlp.tasks.sentiment import softmax
from ai_services.nlp.tools import Result, Tools

TEMPERATURE = 0.04
# A label alone fits from about this cosine on: the name only, and with examples, which lie nearer.
FITS = 0.09
FITS_WITH_EXAMPLES = 0.15
_SLOPE = 25
_JAPANESE = re.compile(r"[\u3041-\u30ff\u3400-\u9fff]")


def classify(request: ClassifyRequest, tools: Tools) -> list[Result]:
    """Every label with its score, best first."""
    encoder = tools.encoder
    centres = np.stack([encoder.centre(explained(label)) for label in request.labels])
    nearness = encoder.encode(request.all_texts(), tools.check) @ centres.T
    if request.multi_label:
        return [_result(request.names(), each_alone(row, request)) for row in nearness]
    return [_result(request.names(), softmax(row, TEMPERATURE)) for row in nearness]


def explained(label: str | LabelWithExamples) -> tuple[str, ...]:
    """The texts that say what a label means. In a sentence, a bare name is understood better."""
    if not isinstance(label, str):
        return (*explained(label.name), *label.examples)
    return (f"これは{label}についての文です。" if _JAPANESE.search(label) else f"This is about {label}.",)


def each_alone(nearness: Vectors, request: ClassifyRequest) -> list[float]:
    """A score from 0 to 1 for each label; 0.5 where it begins to fit."""
    limits = np.array(
        [FITS if isinstance(label, str) else FITS_WITH_EXAMPLES for label in request.labels],
        dtype=np.float32,
    )
    scores: list[float] = (1 / (1 + np.exp(-_SLOPE * (nearness - limits)))).tolist()
    return scores


def _result(names: list[str], scores: list[float]) -> Result:
    order = sorted(range(len(names)), key=lambda place: -scores[place])
    labels = [{"label": names[place], "score": round(scores[place], 4)} for place in order]
    return {**labels[0], "labels": labels}
