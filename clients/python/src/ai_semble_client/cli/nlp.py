"""`ai-semble nlp TASK TEXT...`: what is in texts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from ai_semble_client import calls
from ai_semble_client.answers.nlp import NlpAnswer
from ai_semble_client.calls.call import given
from ai_semble_client.cli.asking import ask_and_show
from ai_semble_client.cli.nlp_views import show_result
from ai_semble_client.cli.options import AsJob, AsJson, Url, single
from ai_semble_client.cli.terminal import output, plain, told

app = single()


class Task(StrEnum):
    """What is asked of a text."""

    SENTIMENT = "sentiment"
    ENTITIES = "entities"
    LANGUAGE = "language"
    KEYWORDS = "keywords"
    SUMMARIZE = "summarize"
    TOKENIZE = "tokenize"
    EMBED = "embed"
    SIMILARITY = "similarity"
    CLASSIFY = "classify"
    PII = "pii"


@app.callback(invoke_without_command=True)
@told
def nlp(
    task: Annotated[Task, typer.Argument(help="What is asked.")],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="Texts; without one, standard input.")
    ] = None,
    lines: Annotated[bool, typer.Option("--lines", help="Each line of standard input is a text.")] = False,
    language: Annotated[str | None, typer.Option(help="ISO 639 code; otherwise it is found out.")] = None,
    top: Annotated[int | None, typer.Option(min=1, help="Most keywords or languages.")] = None,
    sentences: Annotated[int | None, typer.Option(min=1, help="Most sentences of a summary.")] = None,
    other: Annotated[str | None, typer.Option(help="What `similarity` compares with.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="A label of `classify`, or NAME=EXAMPLE; again for more."),
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only these types; again for more.")
    ] = None,
    mask: Annotated[str | None, typer.Option(help="Of `pii`: label, numbered, stars, last4.")] = None,
    as_json: AsJson = False,
    as_job: AsJob = False,
    url: Url = None,
) -> None:
    """Ask about texts: how they sound, who is in them, what they are about, what is private in them."""
    asked = texts or _standard_input(lines)
    options = given(
        language=language,
        top=top,
        sentences=sentences,
        other=other,
        labels=labels_of(label) if label else None,
        types=types,
        mask=mask,
    )
    one = asked[0] if len(asked) == 1 and not lines else asked
    call = calls.nlp(task.value, one, **options)
    ask_and_show(call, url, lambda answer: show(answer, asked), as_json=as_json, as_job=as_job)


def labels_of(given_labels: Sequence[str]) -> list[Any]:
    """`NAME` and `NAME=EXAMPLE` as the API has labels."""
    examples: dict[str, list[str]] = {}
    for text in given_labels:
        name, mark, example = text.partition("=")
        examples.setdefault(name, []).extend([example] if mark else [])
    return [{"name": name, "examples": found} if found else name for name, found in examples.items()]


def show(answer: NlpAnswer[dict[str, Any]], texts: Sequence[str]) -> None:
    """Each result, beneath its text when there are several."""
    console = output()
    several = len(answer.results) > 1
    for result, text in zip(answer.results, texts, strict=False):
        if several:
            console.print(Text(plain(text), "dim"), overflow="ellipsis", no_wrap=True)
        show_result(console, answer.task, result)


def _standard_input(lines: bool) -> list[str]:
    if sys.stdin.isatty():
        raise typer.BadParameter("give a text, or send one to standard input", param_hint="TEXT")
    text = sys.stdin.read()
    found = [line for line in text.splitlines() if line.strip()] if lines else [text.strip()]
    if not any(found):
        raise typer.BadParameter("standard input is empty", param_hint="TEXT")
    return found
