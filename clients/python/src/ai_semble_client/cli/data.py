"""`ai-semble data`: datasets, and questions about them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from ai_semble_client import calls
from ai_semble_client.answers.data import DataAnswer, Dataset
from ai_semble_client.cli.asking import ask, ask_and_show, bytes_bar, replace_reading
from ai_semble_client.cli.names import datasets as known_datasets
from ai_semble_client.cli.options import AsJob, AsJson, Url
from ai_semble_client.cli.terminal import members, messages, output, plain, print_json, row, size, table, told
from ai_semble_client.client import Client

app = typer.Typer(help="Keep, see and ask tables.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the dataset.", autocompletion=known_datasets)]
Format = Annotated[str | None, typer.Option(help="csv, tsv, json, jsonl, parquet, arrow, xlsx.")]


@app.command("list")
@told
def list_datasets(as_json: AsJson = False, url: Url = None) -> None:
    """Every dataset."""
    if as_json:
        print_json(ask(replace_reading(calls.datasets()), url))
        return
    shown = table("name", "format", ">size", "written")
    for dataset in ask(calls.datasets(), url):
        row(shown, dataset.name, dataset.format, size(dataset.bytes), dataset.created[:16].replace("T", " "))
    output().print(shown)


@app.command("show")
@told
def show_dataset(name: Name, as_json: AsJson = False, as_job: AsJob = False, url: Url = None) -> None:
    """What is in each column of a dataset."""
    ask_and_show(calls.profile(name), url, show_profile, as_json=as_json, as_job=as_job)


@app.command()
@told
def sql(
    query: Annotated[str, typer.Argument(help="One SELECT; datasets are tables by their names.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Most rows.")] = None,
    as_json: AsJson = False,
    as_job: AsJob = False,
    url: Url = None,
) -> None:
    """Ask datasets with SQL."""
    ask_and_show(calls.sql(query, limit=limit), url, show_rows, as_json=as_json, as_job=as_job)


@app.command()
@told
def upload(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, JSON, JSON lines, Parquet, Arrow or Excel.")],
    name: Annotated[str | None, typer.Argument(help="Its name; otherwise the file's.")] = None,
    format: Format = None,
    encoding: Annotated[str | None, typer.Option(help="Of text, if it is not UTF-8.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of another.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Keep a file as a dataset."""
    called = name or file.name.partition(".")[0].lower()
    with Client(url) as client, bytes_bar(called) as progress:
        dataset = client.upload(
            called, file, format=format, encoding=encoding, replace=replace, progress=progress
        )
    if as_json:
        typer.echo(dataset.model_dump_json(indent=2))
    else:
        messages().print(_in_words(dataset), markup=False)


@app.command()
@told
def download(
    name: Name,
    file: Annotated[Path | None, typer.Argument(help="Where to; otherwise standard output.")] = None,
    format: Format = None,
    url: Url = None,
) -> None:
    """Take a dataset away, as it is stored or in another format."""
    with Client(url) as client, bytes_bar(name) as progress:
        client.download(name, file or sys.stdout.buffer, format=format, progress=progress)


@app.command()
@told
def delete(name: Name, url: Url = None) -> None:
    """Delete a dataset."""
    ask(calls.delete_dataset(name), url)


def show_rows(answer: DataAnswer) -> None:
    """A table, and a word when it has not all rows."""
    shown = table(*(plain(column.name) for column in answer.columns))
    for record in answer.records:
        row(shown, *(members(record.get(column.name)) for column in answer.columns))
    output().print(shown)
    if answer.truncated:
        messages().print(
            f"{len(answer.records):,} of {answer.total:,} rows; --limit for more.", style="yellow"
        )


def show_profile(answer: DataAnswer) -> None:
    """A row a column, with a small histogram."""
    profile: dict[str, Any] = answer.profile or {}
    shown = table("column", "type", ">nulls", ">distinct", "least", "most", "spread")
    notes = []
    for column in profile.get("columns", ()):
        spread = Text(_bars([bar["count"] for bar in column.get("histogram") or ()]), "green")
        figures = column["nulls"], column["distinct"], members(column.get("min")), members(column.get("max"))
        row(shown, column["name"], column["type"], *figures, spread)
        notes += [f"{column['name']}: {warning['message']}" for warning in column["warnings"]]
    console = output()
    console.print(shown)
    console.print(f"{profile.get('rows', 0):,} rows")
    for note in [*notes, *(warning["message"] for warning in profile.get("warnings", ()))]:
        console.print(Text(plain(note), "yellow"))


def _bars(counts: list[int]) -> str:
    most = max(counts, default=0)
    return "".join("▁▂▃▄▅▆▇█"[round(count / most * 7)] for count in counts) if most else ""


def _in_words(dataset: Dataset) -> str:
    columns = len(dataset.columns or ())
    return f"{plain(dataset.name)}: {dataset.rows or 0:,} rows, {columns} columns, {size(dataset.bytes)}"
