"""Shows how far a pull is: a bar on a terminal, now and then a line in a log. Always on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column

Advance = Callable[[int], None]
LINE_EVERY_S = 5.0


class Reporter(Protocol):
    """What a pull tells while it runs."""

    def say(self, text: str) -> None:
        """One line."""

    def warn(self, text: str) -> None:
        """One line about something that went wrong and is being dealt with."""

    def transfer(self, label: str, total: int | None, done: int) -> AbstractContextManager[Advance]:
        """A transfer of `total` bytes of which `done` are there; call what it yields with each new count."""


class TerminalReporter:
    """A bar for each transfer."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True, style="yellow")

    @contextmanager
    def transfer(self, label: str, total: int | None, done: int) -> Iterator[Advance]:
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=30),
            # The bar gives way to them on a narrow terminal, where they would become two lines.
            DownloadColumn(table_column=Column(no_wrap=True)),
            TransferSpeedColumn(table_column=Column(no_wrap=True)),
            TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
        )
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(label, total=total, completed=done)
            yield lambda count: progress.update(task, advance=count)


class LineReporter:
    """A line at the end of a transfer, and every few seconds on the way."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock

    def say(self, text: str) -> None:
        self._write(text)

    def warn(self, text: str) -> None:
        self._write(f"warning: {text}")

    @contextmanager
    def transfer(self, label: str, total: int | None, done: int) -> Iterator[Advance]:
        position, started, told = done, self._clock(), self._clock()

        def advance(count: int) -> None:
            nonlocal position, told
            position += count
            if self._clock() - told >= LINE_EVERY_S:
                told = self._clock()
                self._write(f"  {label}: {in_words(position)} of {in_words(total)}")

        yield advance
        seconds = self._clock() - started
        self._write(f"  {label}: {in_words(position)} in {seconds:.1f} s")


def reporter_for(console: Console) -> Reporter:
    """The reporter that suits where standard error goes."""
    if console.is_terminal:
        return TerminalReporter(console)
    return LineReporter(lambda text: console.print(text, highlight=False, markup=False, soft_wrap=True))


def in_words(size: int | None) -> str:
    """Bytes for people: `98.4 MB`; `?` when unknown."""
    if size is None:
        return "?"
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")
