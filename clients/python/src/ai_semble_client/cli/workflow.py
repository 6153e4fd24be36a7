"""`ai-semble workflow`: files that put calls together, and their runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from ai_semble_client import calls
from ai_semble_client.answers.workflows import Run, RunDetail, RunEvent, Workflow
from ai_semble_client.cli import given
from ai_semble_client.cli.asking import ask, ask_and_show, replace_reading
from ai_semble_client.cli.names import workflows as known_workflows
from ai_semble_client.cli.options import AsJson, Url
from ai_semble_client.cli.terminal import for_output, messages, output, plain, print_json, row, table, told
from ai_semble_client.client import Client
from ai_semble_client.errors import ProblemError, UnusableFile
from ai_semble_client.flow.checking import Faulty
from ai_semble_client.flow.checking import check as check_file
from ai_semble_client.flow.reading import form_of

app = typer.Typer(help="Check, store and run workflows.", no_args_is_help=True)
_STYLES = {
    "succeeded": "green",
    "failed": "bold red",
    "running": "cyan",
    "waiting": "yellow",
    "skipped": "dim",
}

File = Annotated[Path, typer.Argument(help="A workflow in YAML, TOML or JSON.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name.", autocompletion=known_workflows)]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", metavar="NAME=VALUE", help="An input: JSON, text, or @FILE."),
]
Texts = Annotated[
    list[str] | None,
    typer.Option("--texts", metavar="NAME=FOLDER", help="The text files of a folder, with name and text."),
]
Pictures = Annotated[
    list[str] | None, typer.Option("--pictures", metavar="NAME=FOLDER", help="The pictures of a folder.")
]
InputFile = Annotated[
    Path | None, typer.Option("--inputs", metavar="FILE", help="Inputs as a JSON object; - reads them.")
]


@app.command()
@told
def check(file: File, as_json: AsJson = False) -> None:
    """Look for mistakes, without a server; `put` also looks at the requests of the steps."""
    try:
        text = file.read_bytes()
    except OSError as error:
        raise UnusableFile(f"{file} cannot be read: {error}", "Give the path of a workflow.") from error
    faults = []
    try:
        check_file(text, form_of(file.name))
    except Faulty as error:
        faults = [fault.document() for fault in error.faults]
    if as_json:
        typer.echo(json.dumps({"faults": faults}, ensure_ascii=False, indent=2))
    else:
        show_faults(file, faults)
        if not faults:
            output().print(f"{plain(file)}: no mistakes", markup=False)
    raise typer.Exit(1 if faults else 0)


@app.command()
@told
def put(
    file: File,
    name: Annotated[str | None, typer.Option(help="Its name; otherwise the file's.")] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Store a workflow; a changed one is a new version."""
    call = calls.put_workflow(name or file.stem, file)
    try:
        ask_and_show(call, url, _show_stored, as_json=as_json)
    except ProblemError as error:
        if not error.members.get("faults"):
            raise
        if as_json:
            typer.echo(json.dumps(error.members, ensure_ascii=False, indent=2))
        else:
            show_faults(file, error.members["faults"])
        raise typer.Exit(1) from error


@app.command("list")
@told
def list_workflows(as_json: AsJson = False, url: Url = None) -> None:
    """Every workflow."""
    if as_json:
        print_json(ask(replace_reading(calls.workflows()), url))
        return
    shown = table("workflow", ">version", ">steps", "what it is for")
    for one in ask(calls.workflows(), url):
        row(shown, one.name, one.version, one.steps, one.description)
    output().print(shown)


@app.command()
@told
def delete(name: Name, url: Url = None) -> None:
    """Delete a workflow with all its versions; its runs stay."""
    ask(calls.delete_workflow(name), url)


@app.command()
@told
def run(
    name: Name,
    named: Inputs = None,
    texts: Texts = None,
    pictures: Pictures = None,
    file: InputFile = None,
    version: Annotated[int | None, typer.Option(min=1, help="Which version; the newest by default.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for its end.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Run a workflow, watch it, and print its outputs; exits with 1 when it fails."""
    inputs = given.inputs(named or (), texts or (), pictures or (), file)
    with Client(url) as client:
        started = client.start_workflow(name, inputs, version=version)
        if detach:
            typer.echo(started.id)
            return
        _finish(client, started.id, as_json)


@app.command()
@told
def watch(run_id: RunId, as_json: AsJson = False, url: Url = None) -> None:
    """Watch a run until it ends, and print its outputs; exits with 1 when it fails."""
    with Client(url) as client:
        _finish(client, run_id, as_json)


@app.command()
@told
def runs(
    name: Name,
    state: Annotated[str | None, typer.Option(help="Only runs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most runs.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """The newest runs of a workflow."""
    call = calls.run_page(name, state=state, limit=limit)
    if as_json:
        print_json(ask(replace_reading(call), url))
        return
    shown = table("run", "state", ">version", "made", ">done", "reason")
    for one in ask(call, url).runs:
        done = f"{one.progress.fraction or 0:.0%}"
        row(
            shown,
            one.id,
            _state(one.state),
            one.version,
            f"{one.created_at:%Y-%m-%d %H:%M:%S}",
            done,
            one.reason,
        )
    output().print(shown)


@app.command()
@told
def show(run_id: RunId, as_json: AsJson = False, url: Url = None) -> None:
    """How a run and its steps stand."""
    ask_and_show(calls.workflow_run(run_id), url, _show_run, as_json=as_json)


@app.command()
@told
def cancel(run_id: RunId, as_json: AsJson = False, url: Url = None) -> None:
    """Stop a run that has not ended."""
    ask_and_show(calls.cancel_run(run_id), url, _show_state, as_json=as_json)


@app.command()
@told
def retry(
    run_id: RunId,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for its end.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Go on from where a run failed or was cancelled, and watch it; exits with 1 when it fails."""
    with Client(url) as client:
        client.retry_run(run_id)
        if not detach:
            _finish(client, run_id, as_json)


def show_faults(file: Path, faults: list[dict[str, Any]]) -> None:
    """Mistakes as compilers tell them: file, line, column, words."""
    console = messages()
    for fault in faults:
        place = f"{file}:{fault['line']}:{fault['column']}: "
        where = f"{fault['field']}: " if fault["field"] else ""
        console.print(Text.assemble((plain(place), "bold"), plain(f"{where}{fault['message']}")))
        if fault["hint"]:
            console.print(Text(plain(f"  hint: {fault['hint']}"), "dim"))


def _finish(client: Client, run_id: str, as_json: bool) -> None:
    """Watch to the end, then print: the outputs, or how it failed."""
    try:
        _watch(client, run_id)
    except KeyboardInterrupt:
        messages().print(f"The run goes on: ai-semble workflow watch {run_id}", markup=False)
        raise
    ended = client.wait_for_run(run_id)
    if as_json:
        print_json(client.run(replace_reading(calls.workflow_run(run_id))))
    elif ended.state == "succeeded":
        typer.echo(
            for_output(json.dumps(json.loads(client.run_outputs(run_id)), ensure_ascii=False, indent=2))
        )
    else:
        _show_run(ended)
    raise typer.Exit(0 if ended.state == "succeeded" else 1)


def _watch(client: Client, run_id: str) -> None:
    console = messages()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("begins", total=1.0)
        for event in client.run_events(run_id):
            progress.update(bar, completed=event.fraction, description=event.step or "run")
            progress.console.print(_line(event), markup=False)


def _line(event: RunEvent) -> str:
    item = "" if event.index is None else f" {event.index}"
    where = f"{event.step}{item}: " if event.step else ""
    return plain(f"{event.at:%H:%M:%S} {event.fraction:4.0%} {where}{event.message}")


def _show_stored(stored: Workflow) -> None:
    output().print(f"{plain(stored.name)}: version {stored.version}, {stored.steps} steps", markup=False)


def _show_state(run: Run) -> None:
    output().print(Text.assemble(_state(run.state), f": {plain(run.reason)}"))


def _show_run(run: RunDetail) -> None:
    _show_state(run)
    shown = table("step", "kind", "state", ">done", ">took", "problem")
    for step in run.steps:
        took = (
            (step.ended_at - step.started_at).total_seconds() if step.started_at and step.ended_at else None
        )
        problem = f"{step.problem.get('code')}: {step.problem.get('detail')}" if step.problem else ""
        done = f"{step.items.succeeded}/{step.items.total}" if step.items.total else ""
        row(
            shown,
            step.name,
            step.kind,
            _state(step.state),
            done,
            "" if took is None else f"{took:.1f} s",
            problem,
        )
    output().print(shown)
    if run.problem:
        output().print(Text(plain(f"{run.problem.get('detail', '')}\nhint: {run.problem.get('hint', '')}")))


def _state(state: str) -> Text:
    return Text(state, _STYLES.get(state, ""))
