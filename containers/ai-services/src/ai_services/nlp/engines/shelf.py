"""All engines of the service, each opened at its first use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from ai_semble.health import HealthBoard
from ai_services.nlp.engines.asari import JapaneseSentiment
from ai_services.nlp.engines.encoder import SentenceEncoder
from ai_services.nlp.engines.identifier import LanguageIdentifier
from ai_services.nlp.engines.japanese import JapaneseWords
from ai_services.nlp.engines.lazy import Lazy
from ai_services.nlp.engines.pipelines import EnglishPipeline, JapaneseNames
from ai_services.nlp.engines.vader import EnglishSentiment

Locate = Callable[[str], Path]

EMBEDDING_MODEL = "use-multilingual-v3"


@dataclass(frozen=True)
class Engines:
    """One of each."""

    encoder: Lazy[SentenceEncoder]
    identifier: Lazy[LanguageIdentifier]
    english: Lazy[EnglishPipeline]
    english_sentiment: Lazy[EnglishSentiment]
    japanese_words: Lazy[JapaneseWords]
    japanese_names: Lazy[JapaneseNames]
    japanese_sentiment: Lazy[JapaneseSentiment]

    @classmethod
    def create(cls, locate: Locate, health: HealthBoard) -> Engines:
        """`locate` gives the folder of an installed model, or raises ModelNotInstalled. Nothing is opened."""

        def library(_: str) -> Path:
            return Path()  # comes with a Python package, which finds its own files

        words = Lazy(
            "sudachidict-core", "japanese-words", locate=library, open_=JapaneseWords.open, health=health
        )
        return cls(
            encoder=Lazy(
                EMBEDDING_MODEL, "embedding", locate=locate, open_=SentenceEncoder.open, health=health
            ),
            identifier=Lazy(
                "lid-176", "language", locate=locate, open_=LanguageIdentifier.open, health=health
            ),
            english=Lazy(
                "en-core-web-sm", "english-entities", locate=locate, open_=EnglishPipeline.open, health=health
            ),
            english_sentiment=Lazy(
                "vader", "english-sentiment", locate=library, open_=EnglishSentiment.open, health=health
            ),
            japanese_words=words,
            japanese_names=Lazy(
                "ja-ginza",
                "japanese-entities",
                locate=locate,
                open_=lambda folder: JapaneseNames.open(folder, words.get()),
                health=health,
            ),
            japanese_sentiment=Lazy(
                "asari-sentiment-ja",
                "japanese-sentiment",
                locate=locate,
                open_=JapaneseSentiment.open,
                health=health,
            ),
        )

    def announce(self) -> list[str]:
        """Report every model; the names of those that are not installed."""
        return [model.name for model in self.all() if not model.announce()]

    def named(self, names: Sequence[str]) -> list[Lazy[object]]:
        return [model for model in self.all() if model.name in names]

    def all(self) -> Iterator[Lazy[object]]:
        for field in fields(self):
            yield getattr(self, field.name)
