"""The `ai-semble` command. Packages add their own by the entry point group `ai_semble.commands`."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ai_semble import __version__, telemetry
from ai_semble.errors import AiSembleError
from ai_semble.topology import SERVICES


def create_cli() -> typer.Typer:
    """The command line with every command of the installed packages."""
    cli = typer.Typer(
        help="Ai-semble: several AI environments on one machine, each its own.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    cli.command("serve")(serve)
    cli.command("version")(version)
    for entry in sorted(entry_points(group="ai_semble.commands"), key=lambda entry: entry.name):
        cli.add_typer(entry.load(), name=entry.name)
    return cli


def serve(
    service: Annotated[str, typer.Argument(help="One of: " + ", ".join(SERVICES))],
    reload: Annotated[bool, typer.Option("--reload", help="Start again when the source changes.")] = False,
) -> None:
    """Run one service in the foreground."""
    # The imports stand here since every other command would pay for them.
    from ai_semble.loading import load_config  # noqa: PLC0415
    from ai_semble.serve import serve as run  # noqa: PLC0415

    if service not in SERVICES:
        raise typer.BadParameter(f"there is no service {service}; there are {', '.join(SERVICES)}")
    if reload:
        from ai_semble.reload import run_and_reload  # noqa: PLC0415

        run_and_reload(service)
    run(service, load_config())


def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Entry point: a known error is one line and a hint, never a traceback."""
    telemetry.switch_off()
    try:
        create_cli()()
    except AiSembleError as error:
        errors = Console(stderr=True, soft_wrap=True)
        errors.print(Text.assemble(("error:", "bold red"), f" {error.detail}"))
        errors.print(Text.assemble(("hint:", "bold"), f"  {error.user_hint}"))
        sys.exit(1)


def main_of_service() -> None:
    """Entry point of `ai-semble-llm` and its like, which are `ai-semble serve` with the service in the program's name.

    AppArmor knows a service by the path of what was started.
    """
    sys.argv[1:1] = ["serve", Path(sys.argv[0]).name.removeprefix("ai-semble-")]
    main()


if __name__ == "__main__":
    main()
