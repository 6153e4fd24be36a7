"""Results of language processing, as they are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from ai_semble_client.cli.terminal import members, plain, row, score_bar, table

Result = Mapping[str, Any]
_COLOURS = {"positive": "green", "negative": "red"}


def show_result(console: Console, task: str, result: Result) -> None:
    """One result of a task; of one that is newer than the client, its JSON."""
    view = _VIEWS.get(task)
    for part in view(result) if view else [Text(plain(members(dict(result))))]:
        console.print(part, soft_wrap=isinstance(part, Text))


def _sentiment(result: Result) -> list[RenderableType]:
    label = (plain(result["label"]), _COLOURS.get(result["label"], ""))
    return [Text.assemble(label, f" {result['score']:+.2f} ({plain(result['language'])})")]


def _similarity(result: Result) -> list[RenderableType]:
    if "matrix" not in result:
        return [score_bar(result["score"])]
    return [Text(" ".join(f"{number:6.3f}" for number in line)) for line in result["matrix"]]


def _pii(result: Result) -> list[RenderableType]:
    return [Text(plain(result["text"])), *_rows("findings", "type", "text", "score")(result)]


def _vector(result: Result) -> list[RenderableType]:
    return [Text(" ".join(f"{number:.6f}" for number in result["embedding"]))]


def _summary(result: Result) -> list[RenderableType]:
    return [Text(plain(result["summary"]))]


def _rows(member: str, *columns: str) -> Callable[[Result], list[RenderableType]]:
    def view(result: Result) -> list[RenderableType]:
        if not result[member]:
            return [Text("nothing", "dim")]
        shown = table(*columns)
        for item in result[member]:
            row(shown, *(members(item.get(column)) for column in columns))
        return [shown]

    return view


def _scores(member: str, name: str) -> Callable[[Result], list[RenderableType]]:
    def view(result: Result) -> list[RenderableType]:
        shown = table(name, "score")
        for item in result[member]:
            row(shown, item[name], score_bar(item["score"]))
        return [shown]

    return view


_VIEWS: Mapping[str, Callable[[Result], list[RenderableType]]] = {
    "sentiment": _sentiment,
    "entities": _rows("entities", "text", "type", "label"),
    "language": _scores("candidates", "language"),
    "keywords": _scores("keywords", "text"),
    "summarize": _summary,
    "tokenize": _rows("tokens", "text", "lemma", "pos", "reading"),
    "embed": _vector,
    "similarity": _similarity,
    "classify": _scores("labels", "label"),
    "pii": _pii,
}
