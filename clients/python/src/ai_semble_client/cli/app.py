"""The commands, where the client is installed alone."""

from __future__ import annotations

import typer

import ai_semble_client
from ai_semble_client.cli import chat, completion, data, jobs, models, nlp, read, see, workflow

COMMANDS = {
    "chat": chat.app,
    "see": see.app,
    "read": read.app,
    "nlp": nlp.app,
    "data": data.app,
    "jobs": jobs.app,
    "workflow": workflow.app,
    "models": models.app,
    "completion": completion.app,
}


def create_cli() -> typer.Typer:
    """The command line."""
    cli = typer.Typer(
        help="Ask an Ai-semble environment. AI_SEMBLE_URL says where it is (http://localhost:8080), "
        "AI_SEMBLE_API_KEY is its key, if it needs one.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    for name, app in COMMANDS.items():
        cli.add_typer(app, name=name)
    cli.command("version")(version)
    return cli


def version() -> None:
    """Print the version."""
    typer.echo(ai_semble_client.__version__)
