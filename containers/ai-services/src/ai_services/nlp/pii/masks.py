"""What stands in the place of personal data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ai_semble.schemas.nlp import MaskStyle, PiiType
from ai_services.nlp.pii.patterns import Match

_SHOWN = 4
_WITH_DIGITS = frozenset(
    [
        PiiType.PHONE,
        PiiType.CREDIT_CARD,
        PiiType.MY_NUMBER,
        PiiType.CORPORATE_NUMBER,
        PiiType.US_SSN,
        PiiType.IBAN,
    ]
)


@dataclass
class Masker:
    """Masks of one text. With `numbered`, the same value gets the same number again."""

    style: MaskStyle
    _numbers: dict[tuple[PiiType, str], int] = field(default_factory=dict)
    _last: Counter[PiiType] = field(default_factory=Counter)

    def mask(self, kind: PiiType, value: str) -> str:
        match self.style:
            case MaskStyle.LABEL:
                return f"[{kind}]"
            case MaskStyle.NUMBERED:
                return f"[{kind}_{self._number(kind, value)}]"
            case MaskStyle.STARS:
                return "*" * len(value)
            case MaskStyle.LAST4:
                return last_shown(value) if kind in _WITH_DIGITS else "*" * len(value)

    def _number(self, kind: PiiType, value: str) -> int:
        if (kind, value) not in self._numbers:
            self._last[kind] += 1
            self._numbers[kind, value] = self._last[kind]
        return self._numbers[kind, value]


def last_shown(value: str) -> str:
    """Stars for all letters and digits but the last four, when at least twice as many are hidden."""
    places = [place for place, character in enumerate(value) if character.isalnum()]
    shown = set(places[-_SHOWN:]) if len(places) >= 2 * _SHOWN else set()
    hidden = set(places) - shown
    return "".join("*" if place in hidden else character for place, character in enumerate(value))


def masked(text: str, found: Sequence[Match], masks: Sequence[str]) -> str:
    """The text with each find (in order, without overlaps) replaced by its mask."""
    parts: list[str] = []
    position = 0
    for match, mask in zip(found, masks, strict=True):
        parts += [text[position : match.start], mask]
        position = match.end
    return "".join([*parts, text[position:]])
