"""Options that several commands have, and what a command without subcommands is."""

from __future__ import annotations

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]
AsJob = Annotated[bool, typer.Option("--job", help="Make it as a job, with a bar; it survives a crash.")]
Url = Annotated[
    str | None,
    typer.Option("--url", help="Where the environment is; otherwise AI_SEMBLE_URL, or the settings."),
]


def single() -> typer.Typer:
    """An app that is one command: its callback. Options may stand behind what it is about."""
    return typer.Typer(context_settings={"allow_interspersed_args": True}, subcommand_metavar="")
