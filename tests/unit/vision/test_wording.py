"""The sentence about a picture."""

from __future__ import annotations

import numpy as np
import pytest

from ai_services.vision.engines.classifier import ScoredLabel
from ai_services.vision.wording.description import Seen, describe
from ai_services.vision.wording.english import counted, listed, plural, with_article
from ai_services.vision.wording.kinds import Kind, likeliest_kind

CAT = Kind("cat", 0.9, ScoredLabel("tiger cat", 0.4))


def scored(*found: tuple[str, float]) -> tuple[ScoredLabel, ...]:
    return tuple(ScoredLabel(label, score) for label, score in found)


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (Seen(), "A picture in which nothing was recognised with confidence."),
        (Seen(labels=scored(("espresso", 0.95))), "A picture of an espresso."),
        (
            Seen(labels=scored(("espresso", 0.95)), objects=scored(("cup", 0.6), ("spoon", 0.55))),
            "A picture of an espresso, with a cup and a spoon.",
        ),
        (
            Seen(labels=scored(("tiger cat", 0.4)), kind=CAT, objects=scored(("cat", 0.6)), faces=1),
            "A picture of a cat, perhaps a tiger cat.",
        ),
        (
            Seen(objects=scored(("person", 0.9), ("person", 0.8), ("dog", 0.7)), faces=2),
            "A picture of two people and a dog, with two visible faces.",
        ),
        (
            Seen(objects=scored(("person", 0.46))),
            "A picture in which nothing was recognised with confidence.",
        ),
        (
            Seen(labels=scored(("missile", 0.28), ("projectile", 0.15))),
            "A picture that may show a missile or a projectile.",
        ),
        (
            Seen(kind=Kind("rocket", 0.5, ScoredLabel("missile", 0.28)), labels=scored(("missile", 0.28))),
            "A picture that may show a rocket.",
        ),
        (
            Seen(labels=scored(("web site", 0.3)), lines=("A",) * 9),
            "A picture with nine lines of text, beginning “A”.",
        ),
        (Seen(lines=("STOP",)), "A picture with the text “STOP”."),
        (Seen(lines=("x" * 80,)), f"A picture with one line of text, which begins “{'x' * 60}…”."),
        (
            Seen(labels=scored(("bikini", 0.9)), unsafe=True),
            "A picture of a bikini; it may not be fit for work.",
        ),
    ],
)
def test_the_sentence_is_as_sure_as_the_scores(seen: Seen, sentence: str) -> None:
    assert describe(seen) == sentence


@pytest.mark.parametrize(
    ("noun", "one", "many"),
    [
        ("person", "a person", "two people"),
        ("apple", "an apple", "two apples"),
        ("bus", "a bus", "two buses"),
        ("wine glass", "a wine glass", "two wine glasses"),
        ("knife", "a knife", "two knives"),
        ("sheep", "a sheep", "two sheep"),
        ("skis", "a pair of skis", "two pairs of skis"),
        ("toothbrush", "a toothbrush", "two toothbrushes"),
        ("Egyptian cat", "an Egyptian cat", "two Egyptian cats"),
    ],
)
def test_nouns_have_their_article_and_plural(noun: str, one: str, many: str) -> None:
    assert counted(1, noun) == with_article(noun) == one
    assert counted(2, noun) == many
    assert counted(14, noun) == f"14 {plural(noun)}"


def test_lists_end_in_and() -> None:
    assert [listed(["a", "b", "c"][:count]) for count in range(4)] == ["", "a", "a and b", "a, b and c"]


def test_kinds_add_up_and_only_for_imagenet() -> None:
    labels = ["tench", *(f"label {index}" for index in range(1, 1000))]
    probabilities = np.zeros(1000, np.float32)
    probabilities[[281, 282, 285, 954]] = (0.2, 0.3, 0.1, 0.4)
    kind = likeliest_kind(probabilities, labels)
    assert kind is not None
    assert (kind.label, kind.best.label) == ("cat", "label 282")
    assert kind.score == pytest.approx(0.6)
    assert likeliest_kind(probabilities[:10], labels[:10]) is None
