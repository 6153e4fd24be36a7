"""`ai-semble see FILE`: what is in a picture."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from ai_semble_client import calls
from ai_semble_client.answers.vision import Box, VisionAnswer
from ai_semble_client.cli.asking import ask, ask_and_show
from ai_semble_client.cli.options import AsJob, AsJson, Url, single
from ai_semble_client.cli.pictures import File, picture_of
from ai_semble_client.cli.terminal import messages, output, plain, row, score_bar, table, told
from ai_semble_client.files import appearing

app = single()


class Task(StrEnum):
    """What is asked of a picture."""

    ANALYZE = "analyze"
    CLASSIFY = "classify"
    DETECT = "detect"
    OCR = "ocr"
    FACES = "faces"
    SAFETY = "safety"
    EMBED = "embed"


@app.callback(invoke_without_command=True)
@told
def see(
    file: File,
    task: Annotated[Task, typer.Option(help="What is asked.")] = Task.ANALYZE,
    top: Annotated[int | None, typer.Option(min=1, help="Most labels.")] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="Least score.")] = None,
    draw: Annotated[
        Path | None, typer.Option(help="Write the picture with all of it drawn in: .png, .jpg.")
    ] = None,
    as_json: AsJson = False,
    as_job: AsJob = False,
    url: Url = None,
) -> None:
    """Say what is in a picture: a sentence, labels, objects, faces, text, and whether it is fit for work."""
    picture = picture_of(file)
    if draw is None:
        call = calls.see(picture, task.value, top_k=top, min_score=min_score)
        ask_and_show(call, url, show, as_json=as_json, as_job=as_job)
        return
    drawn = ask(
        calls.draw(picture, task.value, format=_format(draw), min_score=min_score), url, as_job=as_job
    )
    with appearing(draw) as target:
        target.write(drawn)
    messages().print(f"written: {plain(draw)}", markup=False)


def show(answer: VisionAnswer) -> None:
    """Every part of an answer."""
    console = output()
    if answer.description:
        console.print(Text(plain(answer.description), "bold"))
    _show_found(console, answer)
    if answer.text and answer.text.content:
        console.print(Text("text", "bold"))
        console.print(Text(plain(answer.text.content)))
    if answer.safety:
        words = ("fit for work", "green") if answer.safety.safe else ("not fit for work", "bold red")
        console.print(Text.assemble(words, f" (nudity {answer.safety.unsafe_score:.2f})"))
    if answer.embedding:
        console.print(" ".join(f"{number:.6f}" for number in answer.embedding), soft_wrap=True)


def _show_found(console: Console, answer: VisionAnswer) -> None:
    shown = table("what", "score", ">x", ">y", ">width", ">height")
    for item in answer.objects or ():
        row(shown, item.label, score_bar(item.score), *_place(item.box))
    for face in answer.faces or ():
        row(shown, "face", score_bar(face.score), *_place(face.box))
    if shown.row_count:
        console.print(shown)
    labels = table("label", "score")
    for label in answer.labels or ():
        row(labels, label.label, score_bar(label.score))
    if labels.row_count:
        console.print(labels)


def _place(box: Box) -> tuple[int, int, int, int]:
    return box.x, box.y, box.width, box.height


def _format(path: Path) -> Literal["png", "jpeg"]:
    match path.suffix.lower():
        case ".png":
            return "png"
        case ".jpg" | ".jpeg":
            return "jpeg"
        case _:
            raise typer.BadParameter("the name must end in .png or .jpg", param_hint="--draw")
