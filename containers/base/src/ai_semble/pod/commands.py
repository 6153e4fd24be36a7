"""`ai-semble pod`: what `deploy.sh` shows of a pod. Facts come on stdin."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated

import typer
from rich.console import Console

from ai_semble.display import show_health
from ai_semble.loglines import rendered
from ai_semble.pod import lines, view
from ai_semble.pod.facts import Facts
from ai_semble.pod.survey import Survey, surveyed
from ai_semble.schemas.health import EnvironmentHealth, ServiceHealth, State

app = typer.Typer(help="Shows what the scripts on the host gathered about the pod.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def status(
    as_json: Json = False,
    started: Annotated[bool, typer.Option("--started", help="When all is well, also what to try.")] = False,
) -> None:
    """Each service with its state, and what to do about what is not well."""
    found = surveyed(Facts.parse(sys.stdin))
    if as_json:
        typer.echo(json.dumps(found.document()))
    else:
        view.show_status(Console(), found, time.time())
    if started and found.is_well:
        view.show_first_steps(Console(), found)
    raise typer.Exit(0 if found.is_well else 1)


@app.command()
def health(as_json: Json = False) -> None:
    """The whole in a word, and each service; the exit status is 0 when all is well."""
    facts = Facts.parse(sys.stdin)
    document = facts.health or made_up_health(surveyed(facts))
    if as_json:
        typer.echo(document.model_dump_json())
    else:
        show_health(Console(), document)
    raise typer.Exit(0 if document.status is State.READY else 1)


@app.command()
def logs(
    prefix: Annotated[str, typer.Option(help="What the containers' names begin with.")] = "ai-semble",
    as_json: Json = False,
    count: Annotated[int, typer.Option("--lines", help="How many of the last lines; -1 for all.")] = -1,
    request: Annotated[str, typer.Option(help="Only lines of this request.")] = "",
    action: Annotated[str, typer.Option(help="Only lines with this action.")] = "",
    level: Annotated[str, typer.Option(help="Only lines of this level and above.")] = "",
) -> None:
    """Render `journalctl --output=json` for people, line by line."""
    wanted = lines.Wanted(request, action, level)
    console = Console(highlight=False, soft_wrap=True)
    found = False
    try:
        for line in lines.newest(lines.read(sys.stdin, prefix, wanted), count):
            console.print(line.raw if as_json else rendered(line), markup=False)
            sys.stdout.flush()
            found = True
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    if not found:
        typer.echo("no lines match", err=True)


def made_up_health(found: Survey) -> EnvironmentHealth:
    """What the orchestrator would say if it could."""
    reason = "The orchestrator does not answer." if found.is_running else "Ai-semble is not running."
    services = {
        seen.name: seen.own
        or ServiceHealth(
            service=seen.name, state=State.UNREACHABLE, reason=seen.trouble, version="", device=""
        )
        for seen in found.services
    }
    return EnvironmentHealth(
        status=State.DEGRADED if found.is_running else State.UNREACHABLE,
        reason=reason,
        environment=found.environment,
        version="",
        uptime_s=0,
        memory_bytes=sum(service.memory_bytes for service in services.values()),
        services=services,
    )
