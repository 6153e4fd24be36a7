"""Personal data in a text, from patterns and from names, without overlaps."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ai_semble.schemas.nlp import EntityType, PiiType
from ai_services.nlp.engines.pipelines import Name
from ai_services.nlp.pii.patterns import PATTERNS, Match, matches
from ai_services.nlp.tasks.entity_types import type_of

NAME_CERTAINTY = 0.6
_KINDS_OF_NAMES = {EntityType.PERSON: PiiType.PERSON, EntityType.LOCATION: PiiType.LOCATION}
_ORDER = {kind: place for place, kind in enumerate(dict.fromkeys(pattern.kind for pattern in PATTERNS))}


def find(text: str, names: Iterable[Name], wanted: Collection[PiiType], min_score: float) -> list[Match]:
    """What to mask, in the order of the text."""
    found = [
        match
        for match in [*matches(text), *of_names(names)]
        if match.kind in wanted and match.score >= min_score
    ]
    return without_overlaps(found)


def of_names(names: Iterable[Name]) -> list[Match]:
    """People and places among the named things."""
    kinds = ((name, _KINDS_OF_NAMES.get(type_of(name.label, name.text))) for name in names)
    return [
        Match(kind, name.start, name.end, NAME_CERTAINTY)
        for name, kind in kinds
        if kind is not None and any(map(str.isalpha, name.text))
    ]


def without_overlaps(found: Iterable[Match]) -> list[Match]:
    """Of finds that overlap, the longest of the more certain: an e-mail address, not the name within it."""
    kept: list[Match] = []
    taken: set[int] = set()
    for match in sorted(found, key=_precedence):
        span = range(match.start, match.end)
        if taken.isdisjoint(span):
            kept.append(match)
            taken.update(span)
    return sorted(kept, key=lambda match: match.start)


def _precedence(match: Match) -> tuple[bool, float, int, int]:
    by_name = match.score <= NAME_CERTAINTY and match.kind in _KINDS_OF_NAMES.values()
    return by_name, -match.score, match.start - match.end, _ORDER.get(match.kind, len(_ORDER))
