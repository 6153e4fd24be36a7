"""Calls of language processing. `texts` is one text or many, answered in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ai_semble_client.answers.nlp import (
    Classification,
    Embedding,
    Entities,
    Keywords,
    Language,
    NlpAnswer,
    PiiReport,
    Sentiment,
    Similarity,
    SimilarityMatrix,
    Summary,
    Tokens,
)
from ai_semble_client.calls.call import Call, given

Texts = str | Sequence[str]
R = TypeVar("R")


def nlp(task: str, texts: Texts, **options: Any) -> Call[NlpAnswer[dict[str, Any]]]:
    """Any task by its name, with the options that the API has for it; results are plain objects."""
    return _call(task, texts, NlpAnswer[dict[str, Any]].model_validate_json, options)


def sentiment(texts: Texts, *, language: str | None = None) -> Call[NlpAnswer[Sentiment]]:
    """Positive, neutral or negative?"""
    return _call("sentiment", texts, NlpAnswer[Sentiment].model_validate_json, given(language=language))


def entities(
    texts: Texts, *, types: Sequence[str] | None = None, language: str | None = None
) -> Call[NlpAnswer[Entities]]:
    """People, organisations, places, dates, amounts."""
    options = given(types=_listed(types), language=language)
    return _call("entities", texts, NlpAnswer[Entities].model_validate_json, options)


def language(texts: Texts, *, top: int | None = None) -> Call[NlpAnswer[Language]]:
    """Which language is it?"""
    return _call("language", texts, NlpAnswer[Language].model_validate_json, given(top=top))


def keywords(
    texts: Texts, *, top: int | None = None, diversity: float | None = None, language: str | None = None
) -> Call[NlpAnswer[Keywords]]:
    """What is it about, in its own words?"""
    options = given(top=top, diversity=diversity, language=language)
    return _call("keywords", texts, NlpAnswer[Keywords].model_validate_json, options)


def summarize(
    texts: Texts, *, sentences: int | None = None, language: str | None = None
) -> Call[NlpAnswer[Summary]]:
    """The most telling sentences of each text."""
    options = given(sentences=sentences, language=language)
    return _call("summarize", texts, NlpAnswer[Summary].model_validate_json, options)


def tokenize(
    texts: Texts, *, mode: str | None = None, language: str | None = None
) -> Call[NlpAnswer[Tokens]]:
    """Words with lemma, part of speech and, in Japanese, reading."""
    options = given(mode=mode, language=language)
    return _call("tokenize", texts, NlpAnswer[Tokens].model_validate_json, options)


def embed(texts: Texts) -> Call[NlpAnswer[Embedding]]:
    """A vector for each text; texts of like meaning are near, across languages."""
    return _call("embed", texts, NlpAnswer[Embedding].model_validate_json, {})


def similarity(texts: Texts, other: str) -> Call[NlpAnswer[Similarity]]:
    """How alike each text and `other` are in meaning."""
    return _call("similarity", texts, NlpAnswer[Similarity].model_validate_json, {"other": other})


def matrix(texts: Sequence[str]) -> Call[NlpAnswer[SimilarityMatrix]]:
    """How alike all texts are with each other."""
    return _call("similarity", list(texts), NlpAnswer[SimilarityMatrix].model_validate_json, {})


def classify(
    texts: Texts,
    labels: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    multi_label: bool | None = None,
) -> Call[NlpAnswer[Classification]]:
    """Which of your labels fits: names, or names with examples of each."""
    named: list[Any] = (
        [{"name": name, "examples": list(examples)} for name, examples in labels.items()]
        if isinstance(labels, Mapping)
        else list(labels)
    )
    options = given(labels=named, multi_label=multi_label)
    return _call("classify", texts, NlpAnswer[Classification].model_validate_json, options)


def pii(
    texts: Texts,
    *,
    types: Sequence[str] | None = None,
    mask: str | None = None,
    min_score: float | None = None,
    language: str | None = None,
) -> Call[NlpAnswer[PiiReport]]:
    """Find and mask personal data; `mask` is label, numbered, stars or last4."""
    options = given(types=_listed(types), mask=mask, min_score=min_score, language=language)
    return _call("pii", texts, NlpAnswer[PiiReport].model_validate_json, options)


def _call(
    task: str, texts: Texts, read: Callable[[bytes], NlpAnswer[R]], options: Mapping[str, Any]
) -> Call[NlpAnswer[R]]:
    asked = {"text": texts} if isinstance(texts, str) else {"texts": list(texts)}
    return Call("POST", "/ai/nlp/process", read, json={"task": task, **asked, **options})


def _listed(types: Sequence[str] | None) -> list[str] | None:
    return None if types is None else list(types)
