"""The figures of the accuracy page do not fall unnoticed."""

from __future__ import annotations

from ai_services.nlp.engines.shelf import Engines
from tests.accuracy.nlp import Measurer, figures

# A little below what was measured: one item more or less is 2 to 7 percent.
FLOORS = {
    "sentiment en": 82,
    "sentiment ja": 88,
    "language en": 93,
    "language ja": 87,
    "entities en": 90,
    "entities ja": 88,
    "pii en": 95,
    "pii ja": 95,
    "classify en": 85,
    "classify ja": 78,
    "embed en": 78,
    "embed ja": 71,
    "embed en-ja": 83,
    "embed ja-en": 83,
}


def test_accuracy_stays_what_it_is(engines: Engines) -> None:
    found = {f"{figure.task} {figure.subject}": figure.least() for figure in figures(Measurer(engines))}
    fallen = {name: found[name] for name, floor in FLOORS.items() if found[name] < floor}
    assert not fallen, fallen
