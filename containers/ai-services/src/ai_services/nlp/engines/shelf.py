"""All engines of the service, each opened at its first use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

from ai_semble.health import HealthBoard
from ai_services.nlp.engines.asari import JapaneseSentiment
from ai_services.nlp.engines.encoder import SentenceEncoder
from ai_services.nlp.engines.identifier import LanguageIdentifier
from ai_services.nlp.engines.japanese import JapaneseWords
from ai_services.nlp.engines.lazy import Lazy, Source
from ai_services.nlp.engines.pipelines import EnglishPipeline, JapaneseNames
from ai_services.nlp.engines.vader import EnglishSentiment

EMBEDDING_MODEL = "use-multilingual-v3"
# What comes with a Python package, which finds its own files.
_PACKAGES = Source(locate=lambda _: Path(), verify=lambda _: None)


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
    def create(cls, models: Source, health: HealthBoard) -> Engines:
        """Nothing is opened."""
        installed = partial(Lazy, source=models, health=health)
        packaged = partial(Lazy, source=_PACKAGES, health=health)
        words = packaged("sudachidict-core", "japanese-words", open_=JapaneseWords.open)
        return cls(
            encoder=installed(EMBEDDING_MODEL, "embedding", open_=SentenceEncoder.open),
            identifier=installed("lid-176", "language", open_=LanguageIdentifier.open),
            english=installed("en-core-web-sm", "english-entities", open_=EnglishPipeline.open),
            english_sentiment=packaged("vader", "english-sentiment", open_=EnglishSentiment.open),
            japanese_words=words,
            japanese_names=installed(
                "ja-ginza",
                "japanese-entities",
                open_=lambda folder: JapaneseNames.open(folder, words.get()),
            ),
            japanese_sentiment=installed(
                "asari-sentiment-ja", "japanese-sentiment", open_=JapaneseSentiment.open
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
