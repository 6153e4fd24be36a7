"""`ai-semble keys`: create, list, revoke, rotate."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from ai_semble.loading import load_config
from orchestrator.access import terms
from orchestrator.access.keys import Key, Limits, Scope, Standing
from orchestrator.access.store import KeyStore

T = TypeVar("T")
# What a program does; what Prometheus and the person who runs it do is asked for by name.
USUAL = frozenset(Scope) - {Scope.METRICS, Scope.ALL_JOBS}
# More than this is no limit.
MOST_A_MINUTE = 1_000_000_000

app = typer.Typer(help="Make, see and take back the API keys of this environment.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(help="Name or id of a key.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for; shown in lists and messages.")],
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            "--scope", help="What it is for; may be given again. Without it, all but metrics and all-jobs."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Language model that it is for; may be given again. Without it, all."),
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="As 12h, 30d, or a date (UTC). Without it, never.")
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, max=MOST_A_MINUTE, help="Most requests in any 60 seconds.")
    ] = None,
    tokens_per_minute: Annotated[
        int | None, typer.Option(min=1, max=MOST_A_MINUTE, help="Most tokens in any 60 seconds.")
    ] = None,
    parallel: Annotated[
        int | None, typer.Option(min=1, max=MOST_A_MINUTE, help="Most requests at once.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it. It is shown this once; only its hash is kept."""
    if not name.isprintable() or not name.strip() or len(name) > 64:
        raise typer.BadParameter("a name has 1 to 64 printable characters")
    limits = Limits(requests_per_minute, tokens_per_minute, parallel)
    expires_at = _read(terms.moment_of, expires, time.time()) if expires is not None else None
    scopes = frozenset(scope) if scope else USUAL
    if Scope.ALL_JOBS in scopes:
        scopes |= {Scope.JOBS}
    key, secret = _store().create(name, scopes, frozenset(model or ()), limits, expires_at)
    _hand_over(key, secret, as_json)


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """Every key: what it is for, its limits, and whether it is still valid."""
    keys = list(_store().all().values())
    if as_json:
        typer.echo(json.dumps([_facts(key) for key in keys], ensure_ascii=False, indent=2))
        return
    if not keys:
        typer.echo("There are no keys. Make one: ./scripts/deploy.sh keys create NAME")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("id", "name", "state", "scopes", "models", "limits", "expires"):
        table.add_column(heading, overflow="fold")
    now = time.time()
    for key in keys:
        table.add_row(
            key.id,
            key.name,
            key.standing(now).value,
            " ".join(sorted(key.scopes)),
            " ".join(sorted(key.models)) or "all",
            _limits(key.limits),
            terms.shown(key.expires_at),
        )
    Console().print(table, markup=False)


@app.command()
def revoke(which: Which) -> None:
    """Take a key back. It is refused within a second, for good."""
    key = _store().revoke(which)
    typer.echo(f"{key.name} ({key.id}): revoked")


@app.command()
def rotate(
    which: Which,
    grace: Annotated[
        str, typer.Option("--grace", help="How long the old one still opens, as 1h or 7d.")
    ] = "0s",
    as_json: AsJson = False,
) -> None:
    """Replace a key by another with the same id, rights and limits, and print it."""
    key, secret = _store().rotate(which, _read(terms.seconds_of, grace))
    _hand_over(key, secret, as_json)
    if key.standing(time.time()) is Standing.EXPIRED:
        typer.echo(
            f"It opens nothing: {key.name} expired at {terms.shown(key.expires_at)}, and so did this one. "
            "Make another: ./scripts/deploy.sh keys create NAME",
            err=True,
        )


def _store() -> KeyStore:
    return KeyStore(load_config().paths().keys_file)


def _read(reader: Callable[..., T], *words: Any) -> T:
    try:
        return reader(*words)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _hand_over(key: Key, secret: str, as_json: bool) -> None:
    """The key alone on standard output, so that a script can catch it."""
    if as_json:
        typer.echo(json.dumps({**_facts(key), "key": secret}, ensure_ascii=False, indent=2))
        return
    typer.echo(secret)
    typer.echo("Keep it now; it is not shown again. Send it as: Authorization: Bearer ais_...", err=True)


def _facts(key: Key) -> dict[str, Any]:
    """A key for programs; times as RFC 3339."""
    return {
        "id": key.id,
        "name": key.name,
        "state": key.standing(time.time()).value,
        "scopes": sorted(key.scopes),
        "models": sorted(key.models),
        "requests_per_minute": key.limits.requests_per_minute,
        "tokens_per_minute": key.limits.tokens_per_minute,
        "parallel": key.limits.parallel,
        "created_at": _moment(key.created_at),
        "expires_at": _moment(key.expires_at),
        "revoked_at": _moment(key.revoked_at),
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC).isoformat()


def _limits(limits: Limits) -> str:
    shown = (
        (limits.requests_per_minute, "requests/min"),
        (limits.tokens_per_minute, "tokens/min"),
        (limits.parallel, "at once"),
    )
    return ", ".join(f"{number} {what}" for number, what in shown if number is not None) or "none"
