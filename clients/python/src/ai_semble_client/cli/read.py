"""`ai-semble read FILE`: the text in a picture."""

from __future__ import annotations

from typing import Annotated

import typer

from ai_semble_client import calls
from ai_semble_client.answers.vision import Text
from ai_semble_client.cli.asking import ask_and_show
from ai_semble_client.cli.options import AsJob, AsJson, Url, single
from ai_semble_client.cli.pictures import File, picture_of
from ai_semble_client.cli.terminal import for_output, messages, told

app = single()


@app.callback(invoke_without_command=True)
@told
def read(
    file: File,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="Least score of a line.")] = None,
    as_json: AsJson = False,
    as_job: AsJob = False,
    url: Url = None,
) -> None:
    """Read the text in a picture, English or Japanese; nothing but the text is printed."""
    call = calls.read(picture_of(file), min_score=min_score)
    ask_and_show(call, url, show, as_json=as_json, as_job=as_job)


def show(text: Text) -> None:
    """The text, or a word that there is none."""
    if text.content:
        typer.echo(for_output(text.content))
    else:
        messages().print("No text was found.", style="yellow")
