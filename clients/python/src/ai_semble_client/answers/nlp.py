"""Answers of language processing. Positions are counted in characters from 0."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import model_validator

from ai_semble_client.answers.base import Answer

R = TypeVar("R")


class NlpAnswer(Answer, Generic[R]):
    """One result for each text, in order; `result` is the first, which is the only one for a single text."""

    task: str
    models: tuple[str, ...]
    results: tuple[R, ...]

    @property
    def result(self) -> R:
        return self.results[0]

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("results") is None and "result" in value:
            return {
                **{key: item for key, item in value.items() if key != "result"},
                "results": [value["result"]],
            }
        return value


class Sentiment(Answer):
    """`score` is from -1 to 1, `label` positive, neutral or negative."""

    label: str
    score: float
    scores: dict[str, float]
    language: str


class Entity(Answer):
    """`type` is the same in every language, `label` the model's own word."""

    text: str
    start: int
    end: int
    type: str
    label: str


class Entities(Answer):
    """Who, where, when, how much."""

    entities: tuple[Entity, ...]
    language: str


class Language(Answer):
    """ISO 639 code; `und` without letters."""

    language: str
    score: float
    candidates: tuple[dict[str, Any], ...] = ()


class Keyword(Answer):
    """As it is written where it occurs first."""

    text: str
    score: float
    count: int


class Keywords(Answer):
    """Best first."""

    keywords: tuple[Keyword, ...]
    language: str


class Summary(Answer):
    """Sentences of the text itself."""

    summary: str
    sentences_in_text: int
    language: str


class Token(Answer):
    """A word or a sign."""

    text: str
    start: int
    end: int
    lemma: str
    pos: str
    reading: str | None = None


class Tokens(Answer):
    """In the order of the text."""

    tokens: tuple[Token, ...]
    language: str


class Embedding(Answer):
    """A vector of length 1."""

    embedding: tuple[float, ...]


class Similarity(Answer):
    """Cosine: 1 for the same meaning, about 0 for unrelated ones."""

    score: float


class SimilarityMatrix(Answer):
    """Row i, column k: texts i and k."""

    matrix: tuple[tuple[float, ...], ...]


class Classification(Answer):
    """The best label, and all of them."""

    label: str
    score: float
    labels: tuple[dict[str, Any], ...]


class PiiFinding(Answer):
    """A piece of personal data."""

    text: str
    start: int
    end: int
    type: str
    score: float
    masked: str


class PiiReport(Answer):
    """The masked text, and what was found."""

    text: str
    findings: tuple[PiiFinding, ...]
    names_searched: bool
    language: str
