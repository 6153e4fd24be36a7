"""Articles, plurals, numbers and lists."""

from __future__ import annotations

from collections.abc import Sequence

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_IRREGULAR = {
    "person": "people",
    "mouse": "mice",
    "knife": "knives",
    "sheep": "sheep",
    "skis": "pairs of skis",
    "scissors": "pairs of scissors",
}


def with_article(noun: str) -> str:
    """`an apple`, `a cat`; things that come in pairs are one pair."""
    if noun in ("skis", "scissors", "sunglasses"):
        return f"a pair of {noun}"
    return f"an {noun}" if noun[:1].lower() in "aeiou" else f"a {noun}"


def counted(count: int, noun: str) -> str:
    """`a cat`, `two cats`, `12 cats`."""
    if count == 1:
        return with_article(noun)
    return f"{number(count)} {plural(noun)}"


def number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def plural(noun: str) -> str:
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith(("s", "x", "sh", "ch")):
        return f"{noun}es"
    return f"{noun}s"


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
