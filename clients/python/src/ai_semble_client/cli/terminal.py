"""What is printed, and where: answers on standard output, all else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ai_semble_client.errors import AiSembleError, ProblemError

P = ParamSpec("P")
BAR_WIDTH = 20
_KEPT = ("\n", "\t")


def output() -> Console:
    """Standard output; without a terminal it has no colours, and lines are as long as they are."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=10_000)


def messages() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def told(command: Callable[P, None]) -> Callable[P, None]:
    """A command whose known errors are a line and a hint on standard error, and exit status 1."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except AiSembleError as error:
            show_error(error)
            raise typer.Exit(1) from error

    return run


def show_error(error: AiSembleError) -> None:
    """What happened, what to do, and what to look for in the logs."""
    console = messages()
    console.print(Text.assemble(("error: ", "bold red"), plain(error.detail)))
    if error.hint:
        console.print(Text.assemble(("hint:  ", "bold"), plain(error.hint)))
    if isinstance(error, ProblemError) and error.request_id:
        console.print(Text(f"       {error.code}, request {error.request_id}", "dim"))


def print_json(body: bytes) -> None:
    """The API's answer, indented."""
    typer.echo(json.dumps(json.loads(body), ensure_ascii=False, indent=2))


def plain(text: object) -> str:
    """Text without control characters: nobody's answer may give orders to a terminal."""
    return "".join(sign for sign in str(text) if sign in _KEPT or sign.isprintable() or sign == "\u3000")


def for_output(text: str) -> str:
    """Text as it is; without control characters where a terminal would obey them."""
    return plain(text) if sys.stdout.isatty() else text


def table(*headings: str) -> Table:
    """A table without lines. A heading that begins with > is of numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        made.add_column(heading.removeprefix(">"), justify="right" if heading.startswith(">") else "left")
    return made


def row(of: Table, *cells: object) -> None:
    """A row of plain text."""
    of.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in cells))


def score_bar(score: float) -> Text:
    """A score of 0 to 1 as a bar, and in figures."""
    filled = round(min(max(score, 0), 1) * BAR_WIDTH)
    return Text.assemble(("█" * filled, "green"), ("░" * (BAR_WIDTH - filled), "dim"), f" {score:.2f}")


def size(amount: int | None) -> str:
    """Bytes as a person says them."""
    if amount is None:
        return ""
    number, units = float(amount), ["B", "kB", "MB", "GB", "TB"]
    while number >= 1000 and len(units) > 1:
        number /= 1000
        units.pop(0)
    return f"{number:.0f} {units[0]}" if units[0] == "B" or number >= 100 else f"{number:.1f} {units[0]}"


@contextmanager
def busy(words: str) -> Iterator[None]:
    """Shows on a terminal that something is being waited for."""
    console = messages()
    if not console.is_terminal:
        yield
        return
    with console.status(words):
        yield


def members(value: Any) -> str:
    """A value of a table's cell, as text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
