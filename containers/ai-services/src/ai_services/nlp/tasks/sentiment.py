"""Is a text positive, neutral or negative?

Two opinions are blended. The sentence encoder compares the text with sentences that are typically positive,
negative and neutral: it knows best when nothing is judged at all. VADER (English) and asari (Japanese) weigh
words: they know best which way a judgement goes, but asari has no neutral class. For the other languages of
the encoder, its opinion stands alone. The weights were fitted on the items of
tests/accuracy/nlp/sentiment.jsonl that are marked `tune`; accuracy is reported on the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ai_semble.schemas.nlp import SentimentRequest
from ai_services.nlp.engines.encoder import LANGUAGES, Vectors
from ai_services.nlp.text import has_letters
from ai_services.nlp.tools import Document, Result, Tools

LABELS = ("positive", "neutral", "negative")
TYPICAL = {
    "positive": (
        "I am very happy with it.",
        "This is excellent.",
        "I love it, it is wonderful.",
        "Great service and friendly people.",
        "It works perfectly.",
        "I recommend it to everyone.",
        "とても満足しています。",
        "素晴らしいです。",
        "大好きです、最高。",
        "親切で感じが良い。",
        "おすすめです。",
        "美味しくて嬉しい。",
    ),
    "neutral": (
        "The event takes place on Monday.",
        "The document has ten pages.",
        "The building is located in the city centre.",
        "He works at a company.",
        "Please fill in the form.",
        "The price is 100 dollars.",
        "The file is stored in the folder.",
        "行事は月曜日に行われます。",
        "この文書は十ページあります。",
        "建物は市の中心にあります。",
        "彼は会社で働いている。",
        "用紙に記入してください。",
        "価格は千円です。",
        "ファイルはフォルダーに保存されています。",
    ),
    "negative": (
        "I am very disappointed with it.",
        "This is terrible.",
        "I hate it, it is awful.",
        "Bad service and rude people.",
        "It does not work, it broke.",
        "I do not recommend it to anyone.",
        "とても不満です。",
        "ひどいです。",
        "大嫌いです、最悪。",
        "不親切で感じが悪い。",
        "おすすめできません。",
        "不味くて悲しい。",
    ),
}


@dataclass(frozen=True)
class Blend:
    """How much the opinion by words counts against the encoder's."""

    english: float = 0.40
    japanese: float = 0.18
    temperature: float = 0.07


BLEND = Blend()
_MOST_CERTAIN = 0.995
NOTHING_SAID: Vectors = np.array([0, 0.05, 0], dtype=np.float32)


def sentiment(request: SentimentRequest, tools: Tools) -> list[Result]:
    """Label, scores of the three classes, and one score from -1 to 1."""
    documents = tools.documents(request, LANGUAGES)
    by_meaning = opinions_by_meaning([document.text for document in documents], tools)
    return [_result(document, near, tools) for document, near in zip(documents, by_meaning, strict=True)]


def opinions_by_meaning(texts: list[str], tools: Tools) -> Vectors:
    """Cosine of each text with the centre of each class: float32, (texts, 3), in the order of LABELS."""
    encoder = tools.encoder
    centres = np.stack([encoder.centre(TYPICAL[label]) for label in LABELS])
    nearness: Vectors = encoder.encode(texts, tools.check) @ centres.T
    return nearness


def opinion_by_words(document: Document, tools: Tools) -> float:
    """Log odds of positive against negative, about -1 to 1; 0 where no words are known."""
    match document.language:
        case "en":
            chance = (tools.english_sentiment.polarity(document.text) + 1) / 2
        case "ja":
            words = tools.japanese_words.surfaces(document.text)
            known = tools.japanese_sentiment.positive(words)
            chance = 0.5 if known is None else known
        case _:
            return 0.0
    chance = min(max(chance, 1 - _MOST_CERTAIN), _MOST_CERTAIN)
    return math.log(chance / (1 - chance)) / 5


def _result(document: Document, nearness: Vectors, tools: Tools) -> Result:
    tools.check()
    weight = {"en": BLEND.english, "ja": BLEND.japanese}.get(document.language, 0)
    shift = weight * opinion_by_words(document, tools)
    if not has_letters(document.text):
        nearness = NOTHING_SAID  # the encoder knows no emoji
    positive, neutral, negative = softmax(nearness + np.array([shift, 0, -shift]), BLEND.temperature)
    scores = {"positive": positive, "neutral": neutral, "negative": negative}
    return {
        "label": max(scores, key=lambda label: scores[label]),
        "score": round(positive - negative, 4),
        "scores": {label: round(score, 4) for label, score in scores.items()},
        "language": document.language,
    }


def softmax(values: Vectors, temperature: float) -> list[float]:
    """Values as shares of 1; a lower temperature makes them more decided."""
    powers = np.exp((values - values.max()) / temperature)
    shares: list[float] = (powers / powers.sum()).tolist()
    return shares
