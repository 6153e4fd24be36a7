"""`ai-semble jobs`: calls that are made later."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ai_semble_client import calls
from ai_semble_client.answers.jobs import Job
from ai_semble_client.cli.asking import ask, ask_and_show, replace_reading, watch_with_bar
from ai_semble_client.cli.names import jobs as known_jobs
from ai_semble_client.cli.options import AsJson, Url
from ai_semble_client.cli.terminal import (
    for_output,
    messages,
    output,
    plain,
    print_json,
    row,
    size,
    table,
    told,
)
from ai_semble_client.client import Client, JobHandle
from ai_semble_client.files import appearing

app = typer.Typer(
    help="See, watch and cancel jobs; `--job` of other commands makes them.", no_args_is_help=True
)
_STYLES = {
    "succeeded": "green",
    "failed": "bold red",
    "running": "cyan",
    "waiting": "yellow",
    "cancelled": "dim",
}

Id = Annotated[str, typer.Argument(metavar="ID", help="The job's id.", autocompletion=known_jobs)]


class State(StrEnum):
    """How a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@app.command("list")
@told
def list_jobs(
    state: Annotated[State | None, typer.Option(help="Only jobs in this state.")] = None,
    service: Annotated[str | None, typer.Option(help="Only calls of this service.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most jobs.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """The newest jobs."""
    call = calls.job_page(state=state.value if state else None, service=service, limit=limit)
    if as_json:
        print_json(ask(replace_reading(call), url))
        return
    shown = table("job", "service", "state", "age", ">took", "reason")
    for job in ask(call, url).jobs:
        row(shown, job.id, job.service, _state(job), _age(job), _took(job), job.reason)
    output().print(shown)


@app.command("show")
@told
def show_job(job_id: Id, as_json: AsJson = False, url: Url = None) -> None:
    """How a job stands."""
    ask_and_show(calls.job(job_id), url, show, as_json=as_json)


@app.command()
@told
def watch(job_id: Id, url: Url = None) -> None:
    """Watch a job with a bar until it ends; exits with 1 when it fails."""
    with Client(url) as client:
        job = watch_with_bar(JobHandle(client, job_id, bytes))
    show(job)
    raise typer.Exit(0 if job.state == "succeeded" else 1)


@app.command()
@told
def result(
    job_id: Id,
    file: Annotated[Path | None, typer.Argument(help="Where to; otherwise standard output.")] = None,
    url: Url = None,
) -> None:
    """What the service answered, as it was given."""
    content = ask(calls.job_result(job_id), url)
    if file:
        with appearing(file) as target:
            target.write(content)
    elif sys.stdout.isatty():
        _print_on_terminal(content)
    else:
        sys.stdout.buffer.write(content)


@app.command()
@told
def cancel(job_id: Id, as_json: AsJson = False, url: Url = None) -> None:
    """Stop a job that has not ended."""
    ask_and_show(calls.cancel(job_id), url, show, as_json=as_json)


@app.command()
@told
def forget(job_id: Id, url: Url = None) -> None:
    """Delete a job that has ended, with its result."""
    ask(calls.forget(job_id), url)


def show(job: Job) -> None:
    """A job in a few lines."""
    console = output()
    console.print(Text.assemble(_state(job), f": {plain(job.reason)}"))
    shown = table("", "")
    shown.show_header = False
    row(shown, "job", job.id)
    row(shown, "call", job.path)
    row(shown, "made", f"{job.created_at:%Y-%m-%d %H:%M:%S}")
    if took := _took(job):
        row(shown, "took", took)
    if job.result_type:
        row(shown, "result", f"{job.result_type}, {size(job.result_bytes)}")
    if job.problem:
        row(shown, "problem", f"{job.problem.get('code', '')}: {job.problem.get('detail', '')}")
        row(shown, "hint", job.problem.get("hint", ""))
    console.print(shown)


def _print_on_terminal(content: bytes) -> None:
    try:
        typer.echo(for_output(content.decode()))
    except UnicodeDecodeError:
        messages().print(f"The result is no text ({size(len(content))}): name a file for it.", style="yellow")


def _state(job: Job) -> Text:
    return Text(job.state, _STYLES.get(job.state, ""))


def _age(job: Job) -> str:
    return _span((datetime.now(UTC) - job.created_at).total_seconds())


def _took(job: Job) -> str:
    return (
        f"{(job.ended_at - job.started_at).total_seconds():.1f} s" if job.started_at and job.ended_at else ""
    )


def _span(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
