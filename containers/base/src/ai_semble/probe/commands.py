"""`ai-semble probe SERVICE...`: whether services answer as they should. Updates ask with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ai_semble.errors import InvalidConfiguration
from ai_semble.loading import load_config
from ai_semble.probe.asking import Door, ask
from ai_semble.secrets import TOKEN_VARIABLE
from ai_semble.topology import SERVICES

app = typer.Typer(help="Ask services a real question and judge their answers.")


@app.callback(invoke_without_command=True)
def probe(
    services: Annotated[list[str], typer.Argument(help="Of: " + ", ".join(SERVICES))],
    timeout: Annotated[float, typer.Option(min=1, help="Seconds each service has.")] = 60,
) -> None:
    """Ask services a real question and judge their answers.

    Prints a line each: the service, `well` or `sick`, and seconds or the reason, separated by tabs. Exits with 0
    when all are well. Run it where the services listen: in the pod.
    """
    for service in services:
        if service not in SERVICES:
            raise typer.BadParameter(f"there is no service {service}; there are {', '.join(SERVICES)}")
    config = load_config()
    door = Door(config, _token(Path(os.environ.get(TOKEN_VARIABLE) or config.paths().token_file)))
    verdicts = [ask(door, service, timeout) for service in services]
    for verdict in verdicts:
        told = f"{verdict.seconds:.1f} s" if verdict.is_well else " ".join(verdict.reason.split())
        typer.echo(f"{verdict.service}\t{'well' if verdict.is_well else 'sick'}\t{told}")
    raise typer.Exit(0 if all(verdict.is_well for verdict in verdicts) else 1)


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfiguration(
            f"The service token cannot be read: {error}",
            hint=f"Name its file in {TOKEN_VARIABLE}, and run this as a user who may read it.",
        ) from error
