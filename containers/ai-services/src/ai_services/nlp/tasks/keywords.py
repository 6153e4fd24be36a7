"""What a text is about, in its own words: noun phrases, ranked by meaning, frequency and place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from ai_semble.schemas.nlp import KeywordsRequest
from ai_services.nlp.engines.encoder import unit
from ai_services.nlp.engines.japanese import Word
from ai_services.nlp.engines.pipelines import EnglishWord
from ai_services.nlp.tasks.summarize import spread
from ai_services.nlp.tools import Document, Result, Tools, by_language

LANGUAGES = frozenset(["en", "ja"])
_MOST_CANDIDATES = 300
_LONGEST_PHRASE = 4
_LONGEST_WORD = 60


@dataclass(frozen=True)
class Phrase:
    """A noun phrase: how it is compared, where it stands, and of how many words it is."""

    key: str
    start: int
    end: int
    words: int


@dataclass
class Candidate:
    """A phrase with all its occurrences."""

    first: Phrase
    count: int = 1


def keywords(request: KeywordsRequest, tools: Tools) -> list[Result]:
    """At most `top` keywords of each text, best first."""
    documents = tools.documents(request, LANGUAGES)
    work = {"en": partial(_english, tools), "ja": partial(_japanese, tools)}
    phrases = by_language(documents, work)
    return [
        {"keywords": _ranked(document, list(found or ()), request, tools), "language": document.language}
        for document, found in zip(documents, phrases, strict=True)
    ]


def _english(tools: Tools, texts: list[str]) -> list[list[Phrase]]:
    return [list(english_phrases(words)) for words in tools.english.words(texts, tools.check)]


def _japanese(tools: Tools, texts: list[str]) -> list[list[Phrase]]:
    return [list(japanese_phrases(tools.japanese_words.words(text))) for text in texts]


def english_phrases(words: Iterable[EnglishWord]) -> Iterator[Phrase]:
    """Runs of adjectives and nouns that end in a noun."""
    run: list[EnglishWord] = []
    for word in [*words, None]:
        usable = word is not None and _part_of_phrase(word)
        # An adjective after a noun begins a new phrase.
        if word is not None and usable and (not run or word.pos != "ADJ" or run[-1].pos == "ADJ"):
            run.append(word)
            continue
        yield from _english_phrase(run)
        run = [word] if word is not None and usable else []


def _part_of_phrase(word: EnglishWord) -> bool:
    if word.pos not in ("ADJ", "NOUN", "PROPN") or len(word.text) > _LONGEST_WORD:
        return False
    return any(map(str.isalpha, word.text)) and not any(sign in word.text for sign in ("@", "://", "www."))


def _english_phrase(run: list[EnglishWord]) -> Iterator[Phrase]:
    while run and run[-1].pos == "ADJ":
        run = run[:-1]
    run = run[-_LONGEST_PHRASE:]
    if run and sum(len(word.text) for word in run) > 2:
        key = " ".join([*(word.text.lower() for word in run[:-1]), run[-1].lemma.lower()])
        yield Phrase(key, run[0].start, run[-1].end, len(run))


def japanese_phrases(words: Iterable[Word]) -> Iterator[Phrase]:
    """Runs of nouns with their prefixes and suffixes, numbers not alone and not in front."""
    run: list[Word] = []
    for word in [*words, None]:
        if word is not None and _part_of_noun(word) and (not run or run[-1].end == word.start):
            run.append(word)
            continue
        yield from _japanese_phrase(run)
        run = [word] if word is not None and _part_of_noun(word) else []


def _part_of_noun(word: Word) -> bool:
    if len(word.text) > _LONGEST_WORD or word.tag.startswith(("名詞-普通名詞-副詞可能", "名詞-助動詞語幹")):
        return False
    return word.tag.startswith(("名詞", "接頭辞", "接尾辞-名詞的"))


def _japanese_phrase(run: list[Word]) -> Iterator[Phrase]:
    while run and run[0].tag.startswith(("名詞-数詞", "接尾辞", "名詞-普通名詞-助数詞可能")):
        run = run[1:]
    while run and run[-1].tag.startswith(("名詞-数詞", "接頭辞")):
        run = run[:-1]
    run = run[-_LONGEST_PHRASE:]
    text = "".join(word.text for word in run)
    # A noun of one letter, or of kana only and short (こと, もの, ため), says nothing.
    if len(text) > 1 and not (len(run) == 1 and len(text) < 3 and _is_hiragana(text)):
        yield Phrase(text.lower(), run[0].start, run[-1].end, len(run))


def _is_hiragana(text: str) -> bool:
    return all("\u3041" <= letter <= "\u309f" for letter in text)


def _ranked(
    document: Document, phrases: list[Phrase], request: KeywordsRequest, tools: Tools
) -> list[Result]:
    candidates = _most_frequent(phrases)
    if not candidates:
        return []
    texts = [document.text[item.first.start : item.first.end] for item in candidates]
    vectors = tools.encoder.encode(texts, tools.check)
    whole = unit(tools.encoder.encode([document.text], tools.check)[0])
    scores = np.clip(vectors @ whole, 0, 1) * 0.6 + 0.4 * _weights(candidates, len(document.text))
    order = spread(vectors, scores.astype(np.float32), request.top, 1 - request.diversity)
    return [
        {
            "text": texts[place],
            "score": round(min(1.0, float(scores[place])), 4),
            "count": candidates[place].count,
            "start": candidates[place].first.start,
            "end": candidates[place].first.end,
        }
        for place in sorted(order, key=lambda place: -scores[place])
    ]


def _most_frequent(phrases: list[Phrase]) -> list[Candidate]:
    """Phrases with their occurrences counted; of very many the most frequent, first ones first."""
    found: dict[str, Candidate] = {}
    for phrase in phrases:
        if known := found.get(phrase.key):
            known.count += 1
        else:
            found[phrase.key] = Candidate(phrase)
    ordered = sorted(found.values(), key=lambda item: (-item.count, item.first.start))
    return _with_longer(ordered[:_MOST_CANDIDATES])


def _with_longer(candidates: list[Candidate]) -> list[Candidate]:
    """A phrase occurs also where it is part of a longer one: `solar panels` in `modern solar panels`."""
    alone = [(item.first.key, item.count) for item in candidates]
    for item in candidates:
        key = item.first.key
        item.count += sum(count for other, count in alone if other != key and _is_part(key, other))
    return candidates


def _is_part(key: str, other: str) -> bool:
    return f" {key} " in f" {other} " if key.isascii() else key in other


def _weights(candidates: list[Candidate], length: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """From 0 to 1: often, early and in more than one word is better."""
    most = max(item.count for item in candidates)
    return np.array(
        [
            0.6 * math.log1p(item.count) / math.log1p(most)
            + 0.2 * (1 - item.first.start / length)
            + 0.2 * min(1.0, (item.first.words - 1) / 2)
            for item in candidates
        ],
        dtype=np.float32,
    )
