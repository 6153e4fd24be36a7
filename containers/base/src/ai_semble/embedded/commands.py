"""`ai-semble embedded`: the five services as processes of this user, without containers."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer
from rich.console import Console

from ai_semble.display import show_health
from ai_semble.embedded import control, logview, view
from ai_semble.embedded.errors import NotRunning
from ai_semble.embedded.supervise import lock_of
from ai_semble.embedded.supervise import supervise as run_supervisor
from ai_semble.embedded.survey import environment_health, port_of_the_api, survey
from ai_semble.loading import load_config
from ai_semble.loglines import Line, rendered
from ai_semble.schemas.health import State
from ai_semble.topology import SERVICES

app = typer.Typer(
    help="Run the services as processes of this user, without containers.", no_args_is_help=True
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def up() -> None:
    """Start the services, wait until they are ready, and say what to try."""
    config, console = load_config(), Console(stderr=True)
    began = time.monotonic()
    fresh = control.start(config)
    console.print("Starting the services" if fresh else "Ai-semble is already running", style="bold")
    try:
        with view.Progress(console) as progress:
            found = control.wait_until_settled(config, progress)
    except KeyboardInterrupt:
        console.print("Interrupted; the services go on starting: ./scripts/deploy.sh status")
        raise typer.Exit(130) from None
    if fresh and found.is_well:
        console.print(f"Ready after {time.monotonic() - began:.1f} s", style="bold green")
    view.show_started(Console(), found)
    raise typer.Exit(0 if all(seen.serves for seen in found.services) else 1)


@app.command()
def down() -> None:
    """Stop the services and everything that they started."""
    stopped = control.stop(load_config())
    Console(stderr=True).print("Stopped" if stopped else "Ai-semble is not running")


@app.command()
def restart() -> None:
    """Stop, then start."""
    control.stop(load_config())
    up()


@app.command()
def status(as_json: Json = False) -> None:
    """Each service with its state, and what to do about what is not well."""
    found = survey(load_config())
    if as_json:
        typer.echo(json.dumps(found.document()))
    else:
        view.show_status(Console(), found)
    raise typer.Exit(0 if found.is_well else 1)


@app.command()
def health(as_json: Json = False) -> None:
    """The whole in a word, and each service; the exit status is 0 when all is well."""
    document = environment_health(load_config())
    if as_json:
        typer.echo(document.model_dump_json())
    else:
        show_health(Console(), document)
    raise typer.Exit(0 if document.status is State.READY else 1)


@app.command()
def running() -> None:
    """Exit with 0 when an environment runs here, otherwise with 1; for scripts."""
    raise typer.Exit(0 if lock_of(load_config().paths()).holder() else 1)


@app.command()
def port() -> None:
    """Where the API of the environment is, or would be; for scripts."""
    typer.echo(port_of_the_api(load_config()))


@app.command()
def logs(
    service: Annotated[str, typer.Argument(help="One of: " + ", ".join(SERVICES) + "; all by default.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is added.")] = False,
    as_json: Json = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many old lines.")] = 100,
) -> None:
    """What the services say."""
    if service and service not in SERVICES:
        raise typer.BadParameter(f"there is no service {service}; there are {', '.join(SERVICES)}")
    folder = load_config().paths().log_dir
    names = [service] if service else list(SERVICES)
    old = logview.last_lines(folder, names, lines)
    if not old and not follow:
        raise NotRunning("There are no logs yet")
    console = Console(highlight=False, soft_wrap=True)

    def show(line: Line) -> None:
        console.print(line.raw if as_json else rendered(line), markup=False)

    for line in old:
        show(line)
    if follow:
        try:
            logview.follow(folder, names, show)
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


@app.command()
def supervise() -> None:
    """Run the services in the foreground, until interrupted."""
    run_supervisor(load_config())
