"""Words with lemma and part of speech."""

from __future__ import annotations

from functools import partial

from ai_semble.schemas.nlp import TokenizeRequest
from ai_services.nlp.engines.japanese import Mode, universal_pos
from ai_services.nlp.tools import Result, Tools, by_language

LANGUAGES = frozenset(["en", "ja"])


def tokenize(request: TokenizeRequest, tools: Tools) -> list[Result]:
    """The tokens of each text, with offsets."""
    documents = tools.documents(request, LANGUAGES)
    work = {"en": partial(_english, tools), "ja": partial(_japanese, tools, request.mode)}
    tokens = by_language(documents, work)
    return [
        {"tokens": words, "language": document.language}
        for words, document in zip(tokens, documents, strict=True)
    ]


def _english(tools: Tools, texts: list[str]) -> list[list[Result]]:
    return [
        [
            {
                "text": word.text,
                "start": word.start,
                "end": word.end,
                "lemma": word.lemma,
                "pos": word.pos,
                "tag": word.tag,
                "reading": None,
                "normalized": None,
            }
            for word in words
        ]
        for words in tools.english.words(texts, tools.check)
    ]


def _japanese(tools: Tools, mode: Mode, texts: list[str]) -> list[list[Result]]:
    return [_japanese_tokens(tools, mode, text) for text in texts]


def _japanese_tokens(tools: Tools, mode: Mode, text: str) -> list[Result]:
    return [
        {
            "text": word.text,
            "start": word.start,
            "end": word.end,
            "lemma": word.lemma,
            "pos": universal_pos(word.tag),
            "tag": word.tag,
            "reading": word.reading,
            "normalized": word.normalized,
        }
        for word in tools.japanese_words.words(text, mode)
    ]
