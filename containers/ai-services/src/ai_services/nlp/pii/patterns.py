"""What personal data looks like: one table of patterns, each with a check and words that make it certain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ai_semble.schemas.nlp import PiiType
from ai_services.nlp.pii import checks, shapes

# Full-width letters, digits and signs, and the many hyphens, as ASCII: one for one, so that offsets stay.
_FOLD: Mapping[int, str] = {
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys(map(ord, "‐‑‒–—―−ｰ－"), "-"),
    0x3000: " ",
    0x00A0: " ",
}
_KANJI_DASH = re.compile(r"(?<=[0-9])[ーの](?=[0-9])")
_NEARBY = 24


@dataclass(frozen=True)
class Match:
    """One find: its kind, its place, and how certain it is."""

    kind: PiiType
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Pattern:
    """`score` as it stands, `named` when one of `words` stands close before it or just after."""

    kind: PiiType
    regex: re.Pattern[str]
    score: float
    check: Callable[[str], bool] | None = None
    words: re.Pattern[str] | None = None
    named: float = 0.99
    keep: str = r"[^0-9]"  # what the check does not want to see

    def matches(self, text: str) -> Iterator[Match]:
        for match in self.regex.finditer(text):
            start, end = match.span(1) if self.regex.groups else match.span()
            if self.check is not None and not self.check(re.sub(self.keep, "", text[start:end])):
                continue
            near = text[max(0, start - _NEARBY) : start] + " " + text[end : end + 6]
            certain = self.words is not None and self.words.search(near)
            yield Match(self.kind, start, end, self.named if certain else self.score)


def _compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(pattern, flags | re.ASCII)


_CARD = re.compile(r"card|visa|master|amex|jcb|カード|クレジット", re.IGNORECASE)
_PHONE = re.compile(r"tel|phone|call|mobile|fax|cell|電話|携帯|ＴＥＬ|連絡先|ファックス", re.IGNORECASE)
_MY_NUMBER = re.compile(r"マイナンバー|個人番号|my ?number", re.IGNORECASE)
_CORPORATE_NUMBER = re.compile(r"法人番号|corporate number|登録番号", re.IGNORECASE)
_POSTAL = re.compile(r"〒|郵便|postal|zip|住所|address", re.IGNORECASE)
_SSN = re.compile(r"ssn|social security", re.IGNORECASE)

# The order decides between kinds that match the same characters with the same certainty.
PATTERNS: tuple[Pattern, ...] = (
    Pattern(PiiType.SECRET, _compiled(shapes.LOGIN_URL), 0.99),
    Pattern(PiiType.SECRET, _compiled(shapes.ISSUED_KEY), 0.99),
    Pattern(PiiType.SECRET, _compiled(shapes.PRIVATE_KEY), 0.99),
    Pattern(PiiType.EMAIL, _compiled(shapes.EMAIL), 0.99),
    Pattern(PiiType.IBAN, _compiled(shapes.IBAN), 0.99, checks.iban, keep=r" "),
    Pattern(PiiType.MY_NUMBER, _compiled(shapes.MY_NUMBER), 0.6, checks.my_number, _MY_NUMBER),
    Pattern(
        PiiType.CORPORATE_NUMBER,
        _compiled(shapes.CORPORATE_NUMBER),
        0.6,
        checks.corporate_number,
        _CORPORATE_NUMBER,
    ),
    Pattern(PiiType.CREDIT_CARD, _compiled(shapes.CARD), 0.9, checks.payment_card, _CARD),
    Pattern(PiiType.US_SSN, _compiled(shapes.US_SSN), 0.7, checks.us_ssn, _SSN),
    Pattern(PiiType.PHONE, _compiled(shapes.INTERNATIONAL_PHONE), 0.95, checks.international_phone, _PHONE),
    Pattern(PiiType.PHONE, _compiled(shapes.JAPANESE_PHONE), 0.9, checks.japanese_phone, _PHONE),
    Pattern(PiiType.PHONE, _compiled(shapes.JAPANESE_PHONE_PLAIN), 0.6, checks.japanese_phone, _PHONE),
    Pattern(PiiType.PHONE, _compiled(shapes.US_PHONE), 0.85, checks.us_phone, _PHONE),
    Pattern(PiiType.ADDRESS, _compiled(shapes.ADDRESS_JAPAN), 0.9),
    Pattern(PiiType.ADDRESS, _compiled(shapes.ADDRESS_STREET), 0.85),
    Pattern(PiiType.POSTAL_CODE, _compiled(shapes.POSTAL_JAPAN_MARKED), 0.99),
    Pattern(PiiType.POSTAL_CODE, _compiled(shapes.POSTAL_JAPAN), 0.5, None, _POSTAL, 0.95),
    Pattern(PiiType.POSTAL_CODE, _compiled(shapes.POSTAL_US), 0.8),
    Pattern(PiiType.POSTAL_CODE, _compiled(shapes.POSTAL_UK), 0.8),
    Pattern(PiiType.IP_ADDRESS, _compiled(shapes.IPV4), 0.9, checks.ip_address, keep=r" "),
    Pattern(PiiType.IP_ADDRESS, _compiled(shapes.IPV6), 0.9, checks.ip_address, keep=r" "),
)

_CONTACT_KINDS = (PiiType.EMAIL, PiiType.PHONE)
_CONTACT_CERTAINTY = 0.8


def folded(text: str) -> str:
    """Full-width characters and dashes as ASCII; the length stays."""
    return _KANJI_DASH.sub("-", text.translate(_FOLD))


def matches(text: str) -> list[Match]:
    """Everything that a pattern finds, overlaps included, in the order of PATTERNS."""
    plain = folded(text)
    return [match for pattern in PATTERNS for match in pattern.matches(plain)]


def contacts(text: str) -> list[tuple[int, int]]:
    """Places of e-mail addresses, telephone numbers and web addresses, without overlaps, in order."""
    plain = folded(text)
    found = [match.span() for match in re.finditer(shapes.URL, plain)]
    for pattern in PATTERNS:
        if pattern.kind in _CONTACT_KINDS:
            found += [(m.start, m.end) for m in pattern.matches(plain) if m.score >= _CONTACT_CERTAINTY]
    kept: list[tuple[int, int]] = []
    for start, end in sorted(found, key=lambda span: (span[0], -span[1])):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept
