"""What personal data looks like: one table of patterns, each with a check and words that make it certain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ai_semble.schemas.nlp import PiiType
from ai_services.nlp.pii import checks

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


_CARD_WORDS = re.compile(r"card|visa|master|amex|jcb|カード|クレジット", re.IGNORECASE)
_PHONE_WORDS = re.compile(r"tel|phone|call|mobile|fax|cell|電話|携帯|ＴＥＬ|連絡先|ファックス", re.IGNORECASE)
_MY_NUMBER_WORDS = re.compile(r"マイナンバー|個人番号|my ?number", re.IGNORECASE)
_CORPORATE_WORDS = re.compile(r"法人番号|corporate number|登録番号", re.IGNORECASE)
_POSTAL_WORDS = re.compile(r"〒|郵便|postal|zip|住所|address", re.IGNORECASE)
_SSN_WORDS = re.compile(r"ssn|social security", re.IGNORECASE)

# Digits that no group of digits stands before or after.
_ALONE = r"(?<![0-9-])(?<![0-9] )"
_NOT_ON = r"(?! ?[0-9-])"

_PREFECTURES = (
    "北海道|東京都|(?:京都|大阪)府|(?:青森|岩手|宮城|秋田|山形|福島|茨城|栃木|群馬|埼玉|千葉|神奈川|新潟|富山|石川|福井|"
    "山梨|長野|岐阜|静岡|愛知|三重|滋賀|兵庫|奈良|和歌山|鳥取|島根|岡山|広島|山口|徳島|香川|愛媛|高知|福岡|佐賀|長崎|"
    "熊本|大分|宮崎|鹿児島|沖縄)県"
)
_KANA_TOWNS = "さいたま|つくば|つくばみらい|いわき|ひたちなか|かすみがうら|うるま|みどり|さくら|たつの|あわら|むつ|いすみ"
_TOWN = rf"(?:{_KANA_TOWNS}|[一-龥々ヶケ]{{1,5}})[市区町村郡]"
_NUMBER = r"(?:[0-9]{1,4}|[一二三四五六七八九十]{1,3})(?:丁目|番地?|号|[-ーの])?"
_ROOM = r"[ ]?[一-龥ァ-ヶーA-Za-z]{2,15}(?:ビル|マンション|タワー|ハイツ|コーポ|荘|館)?[ ]?[0-9]{1,4}(?:号室|階|F)"
_JAPANESE_ADDRESS = (
    rf"((?:(?:{_PREFECTURES})[^\s、。,，0-9]{{1,20}}|{_TOWN}[^\s、。,，0-9はがをに]{{1,15}})"
    rf"{_NUMBER}(?:{_NUMBER}){{0,3}}(?:{_ROOM})?)"
)
_STREET = (
    r"\b([0-9]{1,6}(?:-[0-9]+)? (?:[NSEW]\.? )?(?:[A-Z][A-Za-z'.]+ |[0-9]+(?:st|nd|rd|th) ){1,4}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Square|Sq|Way|Place|Pl|Terrace|"
    r"Parkway|Pkwy|Highway|Hwy)\b\.?(?:,? (?:Apt|Suite|Ste|Unit|Floor|#)\.? ?[0-9A-Za-z-]{1,6})?)"
)
_IPV4 = r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9]|\.[0-9])"
_IPV6 = r"(?<![0-9A-Fa-f:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![0-9A-Fa-f:])"
_URL = r"https?://[^\s<>\"'「」（）()、。]{3,2000}"
_EMAIL = r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"

# The order decides between kinds that match the same characters with the same certainty.
PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        PiiType.SECRET, _compiled(r"[a-z][a-z0-9+.-]{1,20}://[^\s/@:]{1,256}:[^\s/@]{1,256}@[^\s/?#]{1,256}"), 0.99
    ),
    Pattern(
        PiiType.SECRET,
        _compiled(
            r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}|"
            r"xox[abprs]-[A-Za-z0-9-]{10,255}|sk-[A-Za-z0-9_-]{20,255}|AIza[0-9A-Za-z_-]{35}|"
            r"eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,2000})"
        ),
        0.99,
    ),
    Pattern(
        PiiType.SECRET,
        _compiled(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z0-9+/=\s]{1,20000}-----END [A-Z ]{0,20}PRIVATE KEY-----"),
        0.99,
    ),
    Pattern(PiiType.EMAIL, _compiled(_EMAIL), 0.99),
    Pattern(
        PiiType.IBAN,
        _compiled(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])"),
        0.99,
        checks.iban,
        keep=r" ",
    ),
    Pattern(
        PiiType.MY_NUMBER,
        _compiled(_ALONE + r"(?:[0-9]{12}|[0-9]{4} [0-9]{4} [0-9]{4}|[0-9]{4}-[0-9]{4}-[0-9]{4})" + _NOT_ON),
        0.6,
        checks.my_number,
        _MY_NUMBER_WORDS,
    ),
    Pattern(
        PiiType.CORPORATE_NUMBER,
        _compiled(_ALONE + r"T?[0-9](?:[ -]?[0-9]{4}){3}" + _NOT_ON),
        0.6,
        checks.corporate_number,
        _CORPORATE_WORDS,
    ),
    Pattern(
        PiiType.CREDIT_CARD,
        _compiled(_ALONE
            + r"(?:[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{4}(?:[ -][0-9]{3})?|"
            r"[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5}|[0-9]{13,19})(?![0-9-])"),
        0.9,
        checks.payment_card,
        _CARD_WORDS,
    ),
    Pattern(
        PiiType.US_SSN, _compiled(r"(?<![0-9-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![0-9-])"), 0.7, checks.us_ssn, _SSN_WORDS
    ),
    Pattern(
        PiiType.PHONE,
        _compiled(r"(?<![0-9+])\+[0-9]{1,3}(?:[ .-]?\(?[0-9]{1,5}\)?){2,5}(?![0-9])"),
        0.95,
        checks.international_phone,
        _PHONE_WORDS,
    ),
    Pattern(
        PiiType.PHONE,
        _compiled(r"(?<![0-9-])(?:\(0[0-9]{1,4}\) ?|0[0-9]{1,4}[-( ])[0-9]{1,4}[-) ][0-9]{3,4}(?![0-9-])"),
        0.9,
        checks.japanese_phone,
        _PHONE_WORDS,
    ),
    Pattern(
        PiiType.PHONE, _compiled(r"(?<![0-9-])0[0-9]{9,10}(?![0-9-])"), 0.6, checks.japanese_phone, _PHONE_WORDS
    ),
    Pattern(
        PiiType.PHONE,
        _compiled(r"(?<![0-9-])(?:\([0-9]{3}\) ?|[0-9]{3}[-. ])[0-9]{3}[-. ][0-9]{4}(?![0-9-])"),
        0.85,
        checks.us_phone,
        _PHONE_WORDS,
    ),
    Pattern(PiiType.ADDRESS, _compiled(_JAPANESE_ADDRESS), 0.9),
    Pattern(PiiType.ADDRESS, _compiled(_STREET), 0.85),
    Pattern(PiiType.POSTAL_CODE, _compiled(r"〒 ?[0-9]{3}-?[0-9]{4}(?![0-9-])"), 0.99),
    Pattern(
        PiiType.POSTAL_CODE, _compiled(r"(?<![0-9-])[0-9]{3}-[0-9]{4}(?![0-9-])"), 0.5, None, _POSTAL_WORDS, 0.95
    ),
    Pattern(PiiType.POSTAL_CODE, _compiled(r"\b[A-Z]{2} ([0-9]{5}(?:-[0-9]{4})?)(?![0-9-])"), 0.8),
    Pattern(PiiType.POSTAL_CODE, _compiled(r"\b[A-Z]{1,2}[0-9][A-Z0-9]? [0-9][ABD-HJLNP-UW-Z]{2}\b"), 0.8),
    Pattern(PiiType.IP_ADDRESS, _compiled(_IPV4), 0.9, checks.ip_address, keep=r" "),
    Pattern(PiiType.IP_ADDRESS, _compiled(_IPV6), 0.9, checks.ip_address, keep=r" "),
)  # fmt: skip

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
    found = [match.span() for match in re.finditer(_URL, plain)]
    for pattern in PATTERNS:
        if pattern.kind in _CONTACT_KINDS:
            found += [(m.start, m.end) for m in pattern.matches(plain) if m.score >= _CONTACT_CERTAINTY]
    kept: list[tuple[int, int]] = []
    for start, end in sorted(found, key=lambda span: (span[0], -span[1])):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept
