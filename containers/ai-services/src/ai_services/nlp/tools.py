"""What one request works with: its texts, the engines it uses, and a way to stop early."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from ai_services.nlp.engines.asari import JapaneseSentiment
from ai_services.nlp.engines.encoder import SentenceEncoder
from ai_services.nlp.engines.identifier import UNDETERMINED, LanguageIdentifier
from ai_services.nlp.engines.japanese import JapaneseWords
from ai_services.nlp.engines.lazy import Lazy
from ai_services.nlp.engines.pipelines import EnglishPipeline, JapaneseNames
from ai_services.nlp.engines.shelf import Engines
from ai_services.nlp.engines.vader import EnglishSentiment
from ai_services.nlp.errors import LanguageNotSupported

T = TypeVar("T")
Result = dict[str, Any]

# What texts without letters (emoji, numbers) are taken for.
FALLBACK = "en"
_DOUBTFUL = 0.5
_POSSIBLE = 0.05


class Stopped(Exception):
    """The caller has gone away; nobody waits for the result."""


class TextRequest(Protocol):
    """What the requests of all tasks have."""

    @property
    def task(self) -> str: ...
    @property
    def text(self) -> str | None: ...
    @property
    def language(self) -> str | None: ...
    def all_texts(self) -> list[str]: ...


@dataclass(frozen=True)
class Document:
    """A text and its language."""

    text: str
    language: str


def by_language(
    documents: Sequence[Document], work: Mapping[str, Callable[[list[str]], list[T]]]
) -> list[T | None]:
    """Do each language's work on all its texts at once, and put the results in the order of the documents.

    None stands for a document in a language without work.
    """
    results: list[T | None] = [None] * len(documents)
    for language, do in work.items():
        places = [place for place, document in enumerate(documents) if document.language == language]
        if places:
            done = do([documents[place].text for place in places])
            for place, result in zip(places, done, strict=True):
                results[place] = result
    return results


@dataclass(frozen=True)
class Tools:
    """Engines are opened when first asked for; `used` keeps the names of those that were."""

    engines: Engines
    stop: threading.Event = field(default_factory=threading.Event)
    used: dict[str, None] = field(default_factory=dict)

    @property
    def encoder(self) -> SentenceEncoder:
        return self._take(self.engines.encoder)

    @property
    def identifier(self) -> LanguageIdentifier:
        return self._take(self.engines.identifier)

    @property
    def english(self) -> EnglishPipeline:
        return self._take(self.engines.english)

    @property
    def english_sentiment(self) -> EnglishSentiment:
        return self._take(self.engines.english_sentiment)

    @property
    def japanese_words(self) -> JapaneseWords:
        return self._take(self.engines.japanese_words)

    @property
    def japanese_names(self) -> JapaneseNames:
        return self._take(self.engines.japanese_names)

    @property
    def japanese_sentiment(self) -> JapaneseSentiment:
        return self._take(self.engines.japanese_sentiment)

    def check(self) -> None:
        """Raise Stopped when nobody waits any more. Called between pieces of work."""
        if self.stop.is_set():
            raise Stopped

    def documents(self, request: TextRequest, supported: Collection[str]) -> list[Document]:
        """Texts with the given or the detected language; LanguageNotSupported names each that has another."""
        documents = [
            Document(text, request.language or self._detect(text, supported)) for text in request.all_texts()
        ]
        wrong = {
            "text" if request.text is not None else f"texts.{number}": document.language
            for number, document in enumerate(documents)
            if document.language not in supported
        }
        if wrong:
            raise LanguageNotSupported(request.task, wrong, supported)
        return documents

    def any_documents(self, request: TextRequest, preferred: Collection[str] = ()) -> list[Document]:
        """Texts with their language, whatever it is; in doubt one of `preferred`."""
        return [
            Document(text, request.language or self._likeliest(text, preferred))
            for text in request.all_texts()
        ]

    def _detect(self, text: str, supported: Collection[str]) -> str:
        found = self._likeliest(text, supported)
        return FALLBACK if found == UNDETERMINED else found

    def _likeliest(self, text: str, preferred: Collection[str]) -> str:
        """The language; of a doubtful case (few words) the likeliest that can be worked with."""
        self.check()
        candidates = self.identifier.candidates(text, top=5)
        best, score = candidates[0]
        if best in preferred or score >= _DOUBTFUL:
            return best
        usable = [other for other, chance in candidates if other in preferred and chance >= _POSSIBLE]
        return usable[0] if usable else best

    def _take(self, model: Lazy[T]) -> T:
        self.check()
        self.used[model.name] = None
        return model.get()
