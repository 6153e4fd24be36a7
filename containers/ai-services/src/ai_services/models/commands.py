"""`ai-semble models`: list, pull, verify, remove."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ai_semble.config import Config
from ai_semble.loading import load_config
from ai_services.models.catalogue import UNKNOWN, Catalogue, ModelSpec, load_catalogue
from ai_services.models.errors import ModelDamaged
from ai_services.models.notices import under_its_licence
from ai_services.models.progress import in_words, reporter_for
from ai_services.models.pull import Puller
from ai_services.models.store import ModelStore

USER_CATALOGUE = "models.toml"
# In a container, whose folders nobody sees, the host says what holds the models.
PLACE = "AI_SEMBLE_MODELS_PLACE"
STATES = {"installed": "yes", "damaged": "damaged", "missing": ""}

app = typer.Typer(help="See, fetch, check and remove models.", no_args_is_help=True)

Names = Annotated[list[str] | None, typer.Argument(help="Models; without any, the default ones.")]
Catalogues = Annotated[
    list[Path] | None, typer.Option("--catalogue", help="A further catalogue file; may be given again.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def open_store(config: Config) -> ModelStore:
    """The store that the configuration names."""
    return ModelStore(config.models_dir())


def open_catalogue(config: Config, more: list[Path] | None = None) -> Catalogue:
    """The shipped catalogue, the user's own, those of the configuration, and `more`."""
    own = config.paths().config_dir / USER_CATALOGUE
    return load_catalogue([*([own] if own.exists() else []), *config.models.catalogues, *(more or [])])


@app.command("list")
def list_models(as_json: AsJson = False, catalogue: Catalogues = None) -> None:
    """Every known model: what it is for, how big, under which licence, and whether it is installed."""
    config = load_config()
    rows = model_rows(open_catalogue(config, catalogue), open_store(config))
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("name", "task", "size", "licence", "default", "installed"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        marks = ["yes" if row["default"] else "", STATES[row["state"]]]
        table.add_row(row["name"], row["task"], in_words(row["size"]), row["licence"], *marks)
    Console().print(table)


@app.command()
def pull(
    names: Names = None,
    catalogue: Catalogues = None,
    force: Annotated[bool, typer.Option("--force", help="Fetch again what is installed.")] = False,
    place: Annotated[str, typer.Option(envvar=PLACE, hidden=True)] = "",
) -> None:
    """Fetch models. What is installed is not fetched again; what broke off is continued."""
    config = load_config()
    known = open_catalogue(config, catalogue)
    wanted = [known[name] for name in names] if names else known.defaults()
    reporter = reporter_for(Console(stderr=True))
    Puller(open_store(config), reporter, place=place).pull(wanted, force=force)


@app.command()
def verify(names: Names = None) -> None:
    """Read every file of the named (or all installed) models and compare it with what was installed."""
    store = open_store(load_config())
    damaged = []
    for name in names or store.names():
        problems = list(store.problems(name))
        typer.echo(f"{name}: {'; '.join(problems) or 'ok'}")
        damaged += [name] if problems else []
    if damaged:
        raise ModelDamaged(
            f"{len(damaged)} of the models are damaged",
            hint=f"Fetch them again with: ./scripts/deploy.sh models pull --force {' '.join(damaged)}",
        )


@app.command()
def remove(names: Annotated[list[str], typer.Argument(help="Models to delete.")]) -> None:
    """Delete models from this machine."""
    store = open_store(load_config())
    for name in names:
        typer.echo(f"{name}: {in_words(store.remove(name))} freed")


def model_rows(catalogue: Catalogue, store: ModelStore) -> list[dict[str, Any]]:
    """One row a model that is known or installed, by service and name."""
    rows = [_row(model, store) for model in catalogue]
    rows += [_installed_row(name, store) for name in set(store.names()) - set(catalogue.models)]
    return sorted(rows, key=lambda row: (row["service"], not row["default"], row["name"]))


def _row(model: ModelSpec, store: ModelStore) -> dict[str, Any]:
    licence, size = model.licence, model.size
    if licence == UNKNOWN or size is None:
        found_licence, found_size = _found(model, store)
        licence = found_licence if licence == UNKNOWN else licence
        size = found_size if size is None else size
    shown = {"name", "task", "title", "languages", "licence", "notice", "default"}
    facts = model.model_dump(mode="json", include=shown) | {"licence": licence}
    return {**facts, "service": model.service, "size": size, "state": _state(model.name, store)}


def _installed_row(name: str, store: ModelStore) -> dict[str, Any]:
    try:
        found = store.find(name)
    except ModelDamaged:
        found = None
    if found is None:
        empty: dict[str, Any] = dict.fromkeys(("task", "title", "licence", "notice", "service"), "")
        return {**empty, "name": name, "languages": [], "default": False, "size": None, "state": "damaged"}
    shown = {"name", "task", "title", "languages", "licence", "notice"}
    facts = found.manifest.model_dump(mode="json", include=shown)
    state = _state(name, store)
    return {
        **facts,
        "default": False,
        "service": found.manifest.service,
        "size": found.manifest.size,
        "state": state,
    }


def _found(model: ModelSpec, store: ModelStore) -> tuple[str, int | None]:
    """Licence and bytes of the installed files, or of those of this machine that are to be installed.

    None for the bytes when there are neither, or a manifest that cannot be read.
    """
    try:
        if installed := store.find(model.name):
            return installed.manifest.licence, installed.manifest.size
        files = {name: spec.own for name, spec in model.files.items() if spec.own is not None}
        complete = len(files) == len(model.files)
        size = sum(path.stat().st_size for path in files.values()) if complete else None
        return under_its_licence(model, files).licence, size
    except (ModelDamaged, OSError):
        return UNKNOWN, None


def _state(name: str, store: ModelStore) -> str:
    try:
        return "installed" if store.find(name) and store.installed(name) else "missing"
    except ModelDamaged:
        return "damaged"
