"""How right the language tasks are, on the small labelled sets in `nlp/`, as a Markdown table.

    python tests/accuracy/nlp.py [--misses]

The sets were written for this, by hand; they are too small for more than a rough idea, and their sentences
are plain. What was fitted (sentiment's weights, classify's sentence around a label) was fitted on the items
marked `tune`, and only those marked `test` are counted. The patterns of `pii` were corrected after its misses
here, so its figure says that they do what they are meant to do, not how they fare on other texts.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from ai_semble.health import HealthBoard
from ai_semble.logs import configure_logs
from ai_semble.schemas.nlp import NlpRequest
from ai_services.nlp.engines.lazy import Source
from ai_services.nlp.engines.shelf import Engines
from ai_services.nlp.processor import process
from ai_services.nlp.tools import Result, Tools

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.models import models_directory

SETS = Path(__file__).parent / "nlp"
Item = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    task: str
    subject: str
    items: int
    measure: str
    value: str

    def row(self) -> str:
        return f"| {self.task} | {self.subject} | {self.items} | {self.measure} | {self.value} |"

    def least(self) -> int:
        """The lowest percentage in the value."""
        return min(int(number) for number in re.findall(r"(\d+)%", self.value))


class Measurer:
    """Runs the tasks in this process, and keeps what went wrong."""

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.requests: TypeAdapter[NlpRequest] = TypeAdapter(NlpRequest)
        self.misses: list[str] = []

    def run(self, task: str, texts: list[str], **options: Any) -> list[Result]:
        request = self.requests.validate_python({"task": task, "texts": texts, **options})
        return process(request, Tools(self.engines))

    def share_right(self, task: str, items: list[Item], found: Iterable[str], wanted: str) -> str:
        right = 0
        for item, answer in zip(items, found, strict=True):
            right += answer == item[wanted]
            if answer != item[wanted]:
                self.misses.append(f"{task}: {item['text']!r} is {item[wanted]}, answered {answer}")
        return f"{right / len(items):.0%}"


def read(name: str, only_test: bool = True) -> list[Item]:
    lines = (SETS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    items: list[Item] = [json.loads(line) for line in lines]
    return [item for item in items if not only_test or item.get("split", "test") == "test"]


def grouped(items: list[Item], key: Callable[[Item], str]) -> Iterator[tuple[str, list[Item]]]:
    for name, group in groupby(sorted(items, key=key), key=key):
        yield name, list(group)


def texts(items: list[Item]) -> list[str]:
    return [item["text"] for item in items]


def sentiment(at: Measurer) -> Iterator[Figure]:
    def tongue(item: Item) -> str:
        return item["language"] if item["language"] in ("en", "ja") else "de, es, fr, ko, zh"

    for language, items in grouped(read("sentiment"), tongue):
        found = [result["label"] for result in at.run("sentiment", texts(items))]
        value = at.share_right("sentiment", items, found, "label")
        yield Figure("sentiment", language, len(items), "accuracy, 3 classes", value)


def language(at: Measurer) -> Iterator[Figure]:
    def kind(item: Item) -> str:
        return item["language"] if item["language"] in ("en", "ja") else "14 others, and none"

    for name, items in grouped(read("language"), kind):
        found = [result["language"] for result in at.run("language", texts(items))]
        value = at.share_right("language", items, found, "language")
        yield Figure("language", name, len(items), "accuracy, mostly 1 to 6 words", value)


def spans(at: Measurer, task: str, wanted: str, found: str, **options: Any) -> Iterator[Figure]:
    """Precision and recall of (text, type); of types that the set does not know nothing is counted."""
    known = {entry["type"] for item in read(task) for entry in item[wanted]}
    for name, items in grouped(read(task), lambda item: item["language"]):
        results = at.run(task, texts(items), language=name, **options)
        right = expected = answered = 0
        for item, result in zip(items, results, strict=True):
            gold = {(entry["text"], entry["type"]) for entry in item[wanted]}
            got = {(entry["text"], str(entry["type"])) for entry in result[found] if entry["type"] in known}
            right, expected, answered = right + len(gold & got), expected + len(gold), answered + len(got)
            if gold != got:
                lost, extra = sorted(gold - got), sorted(got - gold)
                at.misses.append(f"{task}: {item['text']!r} lost {lost}, extra {extra}")
        value = f"{right / answered:.0%} / {right / expected:.0%}"
        yield Figure(task, name, len(items), f"precision / recall of {expected}", value)


def classify(at: Measurer) -> Iterator[Figure]:
    for name, items in grouped(read("classify"), lambda item: item["language"]):
        results = at.run("classify", texts(items), labels=items[0]["labels"])
        value = at.share_right("classify", items, [result["label"] for result in results], "label")
        yield Figure("classify", name, len(items), "accuracy, 7 labels, no examples", value)


def retrieval(at: Measurer) -> Iterator[Figure]:
    """Each query against all passages in the language of its answer: is the right one first?"""
    for name, items in grouped(read("retrieval"), lambda item: str(item["languages"])):
        others = [item for item in read("retrieval") if item["languages"][-2:] == name[-2:]]
        passages = [item["passage"] for item in others]
        results = at.run("embed", [*(item["query"] for item in items), *passages])
        vectors = np.stack([result["embedding"] for result in results])
        nearness = vectors[: len(items)] @ vectors[len(items) :].T
        right = nearness[range(len(items)), [passages.index(item["passage"]) for item in items]]
        places = (nearness > right[:, None]).sum(axis=1) + 1
        value = f"{(places == 1).mean():.0%} / {(1 / places).mean():.2f}"
        yield Figure("embed", name, len(items), f"right one of {len(passages)} first / MRR", value)
        at.misses += [
            f"embed: {item['query']!r} has rank {place}"
            for item, place in zip(items, places, strict=True)
            if place > 1
        ]


def figures(at: Measurer) -> Iterator[Figure]:
    yield from sentiment(at)
    yield from language(at)
    yield from spans(at, "entities", "entities", "entities")
    yield from spans(at, "pii", "pii", "findings")
    yield from classify(at)
    yield from retrieval(at)


def main() -> None:
    configure_logs("accuracy", "error")
    folder = models_directory()
    at = Measurer(Engines.create(Source(lambda name: folder / name, lambda _: None), HealthBoard("nlp")))
    print("| task | language | items | measure | value |\n|---|---|---|---|---|")
    for figure in figures(at):
        print(figure.row())
    if "--misses" in sys.argv:
        print("", *at.misses, sep="\n")


if __name__ == "__main__":
    main()
