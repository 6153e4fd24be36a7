"""Which language is it? fastText's lid.176, with what it is bad at decided by the script."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from ai_services.nlp.text import clean, has_letters

UNDETERMINED = "und"

_NOISE = re.compile(r"https?://[!-~]+|[!-~]+@[!-~]+|[\d_#*~^=<>|\\/{}\[\]]+")
_KANA = re.compile(r"[\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\uff66-\uff9d]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff々〆]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_SAMPLE = 3_000

Candidates = list[tuple[str, float]]


class LanguageIdentifier:
    """Thread-safe; about 20 microseconds a sentence."""

    def __init__(self, model: Any) -> None:
        self._model = model

    @classmethod
    def open(cls, folder: Path) -> LanguageIdentifier:
        """Open `lid.176.ftz` of a folder. Nothing is ever downloaded."""
        import fasttext  # noqa: PLC0415 - a shared library that only this needs

        return cls(fasttext.load_model(str(folder / "lid.176.ftz")))

    def candidates(self, text: str, top: int = 3) -> Candidates:
        """Languages with scores in [0, 1], best first; (`und`, 0) alone for a text without letters."""
        sample = _NOISE.sub(" ", _sampled(clean(text)))
        if not has_letters(sample):
            return [(UNDETERMINED, 0.0)]
        certain = _by_script(sample)
        labels, scores = self._model.predict(_as_trained(sample), k=top + 2)
        found = [
            (label.removeprefix("__label__"), min(1.0, float(score)))
            for label, score in zip(labels, scores, strict=True)
        ]
        return _with_certain(found, certain)[:top]

    def identify(self, text: str) -> str:
        """The most likely language."""
        return self.candidates(text, top=1)[0][0]


def _sampled(text: str) -> str:
    """Beginning, middle and end of a long text: more would change nothing."""
    if len(text) <= _SAMPLE:
        return text
    third, middle = _SAMPLE // 3, len(text) // 2
    return f"{text[:third]} {text[middle : middle + third]} {text[-third:]}"


def _as_trained(sample: str) -> str:
    """One line; and no shouting, which the model takes for Japanese."""
    line = " ".join(sample.split())
    letters = [character for character in line if character.isalpha()]
    shouting = sum(map(str.isupper, letters)) > len(letters) / 2
    return line.lower() if shouting else line


def _by_script(sample: str) -> str | None:
    """The language that the writing alone decides, if it does."""
    han, kana, hangul = (len(script.findall(sample)) for script in (_HAN, _KANA, _HANGUL))
    letters = sum(map(str.isalpha, sample))
    if kana and han + kana >= letters * 0.3:
        return "ja"
    if hangul and hangul >= letters * 0.3:
        return "ko"
    if han >= letters * 0.5 and not kana:
        return _of_han_alone(sample)
    return None


def _of_han_alone(sample: str) -> str | None:
    """Characters that only one of the national character sets has tell Japanese from Chinese."""
    marks = [_nation(character) for character in set(_HAN.findall(sample))]
    japanese, chinese = marks.count("ja"), marks.count("zh")
    if japanese > chinese:
        return "ja"
    return "zh" if chinese > japanese else None


@lru_cache(maxsize=8192)
def _nation(character: str) -> str | None:
    in_japan = _encodes(character, "shift_jis")
    in_china = _encodes(character, "gb2312")
    in_taiwan = _encodes(character, "big5")
    if in_japan and not in_china and not in_taiwan:
        return "ja"
    if not in_japan and (in_china or in_taiwan):
        return "zh"
    return None


def _encodes(character: str, charset: str) -> bool:
    try:
        character.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def _with_certain(found: Candidates, certain: str | None) -> Candidates:
    if certain is None:
        return found
    score = max([0.9, *(score for language, score in found if language == certain)])
    # What the writing rules out keeps its order, in what is left of certainty.
    rest = [(language, min(other, 1 - score)) for language, other in found if language != certain]
    return [(certain, score), *rest]
