"""`ai-semble config`: the effective configuration, and the commented default file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from ai_semble import exposure
from ai_semble.config import Config
from ai_semble.listening import is_in_our_image
from ai_semble.loading import config_file, load

app = typer.Typer(help="Show and check the configuration.", no_args_is_help=True)


@app.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Every key, its value, and where the value came from."""
    rows = list(load().rows())
    if as_json:
        typer.echo(
            json.dumps([dict(zip(("section", "key", "value", "origin"), row, strict=True)) for row in rows])
        )
        return
    table = Table("key", "value", "origin", box=None, pad_edge=False)
    for section, key, value, origin in rows:
        table.add_row(f"{section}.{key}", _toml(value), origin)
    Console().print(table)


@app.command()
def check() -> None:
    """Exit with 0 when the configuration is valid, otherwise say what is not; also what keeps others' door shut."""
    exposure.check(load().config, in_pod=is_in_our_image())
    Console().print(f"{config_file()}: valid" if config_file().exists() else "no file; the defaults are used")


@app.command()
def defaults() -> None:
    """The default file, with a comment for every key."""
    typer.echo(default_file(), nl=False)


@app.command("get")
def get(key: Annotated[str, typer.Argument(help="As `orchestrator.port`.")]) -> None:
    """The value of one key."""
    for section, name, value, _ in load().rows():
        if f"{section}.{name}" == key:
            typer.echo(value)
            return
    raise typer.BadParameter(f"there is no key {key}; `ai-semble config show` lists them")


def default_file() -> str:
    """configs/ai-semble.toml: every key with its default; keys without one are commented out."""
    header = [
        "# Every key of Ai-semble with its default. Copy what you change to",
        "# ~/.config/ai-semble/ai-semble.toml; variables AI_SEMBLE_<SECTION>__<KEY> go before the file.",
    ]
    return "\n".join([*header, *_sections(Config())]) + "\n"


def _sections(config: Config) -> Iterator[str]:
    for name, section in config:
        yield f"\n# {(type(section).__doc__ or '').strip()}\n[{name}]"
        yield from _keys(section)


def _keys(section: BaseModel) -> Iterator[str]:
    values = section.model_dump(mode="json")
    for name, field in type(section).model_fields.items():
        yield f"# {field.description}"
        yield f"# {name} = " if values[name] is None else f"{name} = {_toml(values[name])}"


def _toml(value: Any) -> str:
    # JSON's text for strings, numbers, booleans and lists of them is TOML's too.
    return "" if value is None else json.dumps(value, ensure_ascii=False)
