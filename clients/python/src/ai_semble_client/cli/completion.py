"""`ai-semble completion SHELL`: what makes a shell know the commands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined] # imported there

from ai_semble_client.cli.options import single

app = single()


class Shell(StrEnum):
    """Shells that are known."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.callback(invoke_without_command=True)
def completion(shell: Annotated[Shell, typer.Argument(help="Your shell.")]) -> None:
    """Print a script that completes commands, options and names; the page of the client says where to put it."""
    script = get_completion_script(
        prog_name="ai-semble", complete_var="_AI_SEMBLE_COMPLETE", shell=shell.value
    )
    typer.echo(script)
