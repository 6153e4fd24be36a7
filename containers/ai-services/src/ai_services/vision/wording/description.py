"""One English sentence about a picture, no surer than the scores are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ai_services.vision.wording.english import counted, listed, number, with_article
from ai_services.vision.wording.kinds import ANIMALS, Kind

_SURE = 0.6
_POSSIBLE = 0.2
_SECOND_GUESS = 0.12
_SURE_OBJECT = 0.5
_PAGE_LINES = 4
_QUOTE = 60


class Scored(Protocol):
    """A label with a score."""

    @property
    def label(self) -> str: ...

    @property
    def score(self) -> float: ...


@dataclass(frozen=True)
class Seen:
    """What is known of a picture. `kind` is what the labels add up to; `lines` are rows of text in order."""

    labels: Sequence[Scored] = ()
    kind: Kind | None = None
    objects: Sequence[Scored] = ()
    faces: int = 0
    lines: Sequence[str] = ()
    unsafe: bool = False


def describe(seen: Seen) -> str:
    """The sentence."""
    objects = Counter(found.label for found in seen.objects if found.score >= _SURE_OBJECT)
    is_page = len(seen.lines) >= _PAGE_LINES and not objects
    subject, extra = _subject(seen, objects, is_page=is_page)
    additions = [part for part in (extra, _faces(seen, objects), _text(seen.lines)) if part]
    if subject:
        sentence = f"{subject}, with {listed(additions)}" if additions else subject
    elif additions:
        sentence = f"A picture with {listed(additions)}"
    else:
        sentence = "A picture in which nothing was recognised with confidence"
    return f"{sentence}; it may not be fit for work." if seen.unsafe else f"{sentence}."


def _subject(seen: Seen, objects: Counter[str], *, is_page: bool) -> tuple[str, str]:
    """What it is a picture of, and which objects are left to name."""
    things = listed([counted(count, label) for label, count in objects.most_common(4)])
    kind = seen.kind if seen.kind and seen.kind.score >= _SURE else None
    if kind and kind.label in objects:
        return f"A picture of {things}{_finer(kind)}", ""
    if kind:
        return f"A picture of {with_article(kind.label)}{_finer(kind)}", things
    if seen.labels and seen.labels[0].score >= _SURE:
        return f"A picture of {with_article(seen.labels[0].label)}", things
    if things:
        return f"A picture of {things}", ""
    return ("", "") if is_page else (_guess(seen), "")


def _finer(kind: Kind) -> str:
    """`, perhaps a tiger cat`: its best label, when that says more."""
    if kind.best.score < _POSSIBLE or kind.best.label == kind.label:
        return ""
    return f", {'most likely' if kind.best.score >= _SURE else 'perhaps'} {with_article(kind.best.label)}"


def _guess(seen: Seen) -> str:
    if seen.kind and seen.kind.score >= 2 * _POSSIBLE:
        return f"A picture that may show {with_article(seen.kind.label)}"
    guesses = [label for label in seen.labels[:2] if label.score >= _SECOND_GUESS]
    if not guesses or guesses[0].score < _POSSIBLE:
        return ""
    return f"A picture that may show {' or '.join(with_article(label.label) for label in guesses)}"


def _faces(seen: Seen, objects: Counter[str]) -> str:
    """Animals have faces too, and the network cannot tell: without a person they are not mentioned."""
    kinds = {seen.kind.label} if seen.kind and seen.kind.score >= _SURE else set()
    if not seen.faces or (ANIMALS & (objects.keys() | kinds) and not objects["person"]):
        return ""
    return "one visible face" if seen.faces == 1 else f"{number(seen.faces)} visible faces"


def _text(lines: Sequence[str]) -> str:
    whole = " / ".join(lines)
    if not whole:
        return ""
    if len(lines) <= 2 and len(whole) <= _QUOTE:
        return f"the text “{whole}”"
    first = lines[0] if len(lines[0]) <= _QUOTE else f"{lines[0][:_QUOTE].rstrip()}…"
    amount = (
        "one line of text, which begins"
        if len(lines) == 1
        else f"{number(len(lines))} lines of text, beginning"
    )
    return f"{amount} “{first}”"
