"""Making the call of a command: now, or as a job with a bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ai_semble_client.answers.jobs import Job
from ai_semble_client.calls.call import Call
from ai_semble_client.cli.terminal import busy, messages, plain, print_json
from ai_semble_client.client import Client, JobHandle

T = TypeVar("T")


def ask(call: Call[T], url: str | None, *, as_job: bool = False) -> T:
    """The answer of a call."""
    with Client(url) as client:
        if as_job:
            job = client.submit(call)
            watch_with_bar(job)
            return job.wait()
        with busy("Asking ..."):
            return client.run(call)


def ask_and_show(
    call: Call[T], url: str | None, show: Callable[[T], None], *, as_json: bool, as_job: bool = False
) -> None:
    """Show the answer of a call, or print it as JSON."""
    if as_json:
        print_json(ask(replace_reading(call), url, as_job=as_job))
    else:
        show(ask(call, url, as_job=as_job))


def replace_reading(call: Call[Any]) -> Call[bytes]:
    """The same call, its answer left as it is."""
    return replace(call, read=bytes)


def watch_with_bar(job: JobHandle[Any]) -> Job:
    """How a job ended, with a bar on a terminal, and lines elsewhere."""
    console = messages()
    try:
        if not console.is_terminal:
            return job.wait_for_end(progress=_line_at_changes(console))
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            return job.wait_for_end(progress=_bar_of(progress))
    except KeyboardInterrupt:
        console.print(f"The job goes on: ai-semble jobs watch {job.id}", markup=False)
        raise


@contextmanager
def bytes_bar(words: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of bytes on a terminal; what it gives is called with those that have passed, and all."""
    console = messages()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        shown = progress.add_task(words, total=None)

        def update(done: int, whole: int) -> None:
            progress.update(shown, completed=done, total=whole or None)

        yield update


def _bar_of(progress: Progress) -> Callable[[Job], None]:
    shown = progress.add_task("submitted", total=None)

    def update(job: Job) -> None:
        fraction = 1.0 if job.state == "succeeded" else job.progress.fraction
        total = None if fraction is None else 1.0
        words = plain(f"{job.service}: {job.progress.message or job.reason}")
        progress.update(shown, description=words, completed=fraction or 0, total=total, refresh=True)

    return update


def _line_at_changes(console: Console) -> Callable[[Job], None]:
    told = [""]

    def update(job: Job) -> None:
        if job.state != told[0]:
            told[0] = job.state
            console.print(plain(f"job {job.id} {job.state}: {job.reason}"), markup=False)

    return update
