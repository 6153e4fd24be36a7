"""What sorts of thing the labels of ImageNet-1k are, so that thirty kinds of cat add up to a cat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ai_services.vision.engines.classifier import ScoredLabel
from ai_services.vision.imaging.picture import Floats

Spans = tuple[tuple[int, int], ...]


def _each(*indices: int) -> Spans:
    return tuple((index, index) for index in indices)


# Classes by their index, both ends included. What is not here stands for itself.
_KINDS: dict[str, Spans] = {
    "fish": ((0, 6), (389, 397)),
    "bird": ((7, 24), (80, 100), (127, 146)),
    "salamander": ((25, 29),),
    "frog": ((30, 32),),
    "turtle": ((33, 37),),
    "lizard": ((38, 48),),
    "crocodile": ((49, 50),),
    "snake": ((52, 68),),
    "spider": ((72, 77),),
    "crab": ((118, 121),),
    "dog": ((151, 268),),
    "wolf": ((269, 272),),
    "fox": ((277, 280),),
    "cat": ((281, 285),),
    "big cat": ((286, 293),),
    "bear": ((294, 297),),
    "beetle": ((300, 307),),
    "butterfly": ((321, 326),),
    "rabbit": ((330, 332),),
    "ape": ((365, 368),),
    "monkey": ((369, 382),),
    "elephant": ((101, 101), (385, 386)),
    "aircraft": _each(404, 895),
    "boat": _each(472, 484, 510, 554, 576, 625, 628, 724, 780, 814, 871, 914),
    "car": _each(436, 468, 511, 609, 627, 656, 661, 717, 751, 817),
    "rocket": _each(657, 744, 812),
    "mushroom": ((992, 997),),
}
ANIMALS = frozenset(
    ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "teddy bear")
)


@dataclass(frozen=True)
class Kind:
    """What several labels have in common, their probabilities added up, and the best of them."""

    label: str
    score: float
    best: ScoredLabel


def likeliest_kind(probabilities: Floats, labels: Sequence[str]) -> Kind | None:
    """The kind with the greatest probability; None where the labels are not those of ImageNet."""
    if len(labels) != 1000 or labels[0] != "tench":
        return None
    members = {kind: [i for a, b in spans for i in range(a, b + 1)] for kind, spans in _KINDS.items()}
    sums = {kind: float(probabilities[indices].sum()) for kind, indices in members.items()}
    kind = max(sums, key=lambda name: sums[name])
    best = max(members[kind], key=lambda index: float(probabilities[index]))
    return Kind(kind, sums[kind], ScoredLabel(labels[best], float(probabilities[best])))
