"""VADER: English sentiment by a lexicon and rules for negation, emphasis and emoticons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ai_services.nlp.text import clean, pieces

# VADER looks each word up in the list of all of them, so its time grows with the square of the length.
_PIECE_CHARACTERS = 500

# VADER reads an emoji as its name; these names hold no word of its lexicon.
_EMOJI = {
    **dict.fromkeys("👍👌👏🙌💯✨🎉🤩🥰😍", "great"),
    **dict.fromkeys("👎🤮😤💩🤬😠😡", "awful"),
    **dict.fromkeys("😭😞😢😔💔☹", "sad"),
    **dict.fromkeys("😀😃😄😁😊🙂☺😆", "happy"),
    **dict.fromkeys("❤💖💕💗", "love"),
}


class EnglishSentiment:
    """Thread-safe."""

    def __init__(self, analyzer: Any) -> None:
        self._analyzer = analyzer

    @classmethod
    def open(cls, _: Path) -> EnglishSentiment:
        """Read the lexicon that comes with the package."""
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # noqa: PLC0415

        analyzer = SentimentIntensityAnalyzer()
        analyzer.emojis.update(_EMOJI)
        return cls(analyzer)

    def polarity(self, text: str) -> float:
        """From -1 (negative) to 1 (positive); 0 without a word of the lexicon. Long texts: the mean."""
        parts = pieces(clean(text), _PIECE_CHARACTERS)
        total = sum(
            float(self._analyzer.polarity_scores(part.text)["compound"]) * len(part.text) for part in parts
        )
        return total / len(text)
