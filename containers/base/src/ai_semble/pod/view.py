"""How a pod looks on a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ai_semble.display import MB, STYLES, model_lines, show_first_call, span
from ai_semble.listening import is_loopback
from ai_semble.pod.confinement import in_words
from ai_semble.pod.survey import DEPLOY, Seen, Survey
from ai_semble.render.variants import EXPOSED_PORT

OPEN_PORT = "sudo ./scripts/install-security.sh --open-port"
_WORDS = {**STYLES, "running": "", "silent": "bold red"}


def show_status(console: Console, found: Survey, now: float) -> None:
    """The whole screen of `status`."""
    console.print(headline(found), soft_wrap=True)
    if found.trouble:
        console.print(Text(f"Podman or systemd says: {found.trouble}", "red"), soft_wrap=True)
    if not found.is_running:
        console.print(f"Start it: {DEPLOY} start{_option(found)}", style="dim", highlight=False)
        return
    console.print()
    console.print(table(found, now))
    named = model_lines((seen.name, seen.own) for seen in found.services)
    for text in (*named, *layers(found), *doors(found), *troubles(found)):
        console.print(text, soft_wrap=True)


def show_first_steps(console: Console, found: Survey) -> None:
    """What to do in an environment that has just started."""
    if found.environment == "dev":
        console.print("\nA shell with the tools, and your source in it:", style="bold")
        console.print("podman exec -it ai-semble-dev-shell bash", highlight=False)
    show_first_call(console, found.port)


def headline(found: Survey) -> Text:
    """One line that says it all."""
    title = Text.assemble(("Ai-semble", "bold"), f" · environment {found.environment} · ")
    if not found.is_running:
        return title.append("stopped", "bold")
    if found.is_well:
        title.append("all services are ready", "bold green")
    else:
        title.append(f"not well: {', '.join(seen.name for seen in found.ill)}", "bold yellow")
    return title.append(f" · {found.backend}")


def table(found: Survey, now: float) -> Table:
    """One row a service."""
    rows = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in ("service", "state", "health"):
        rows.add_column(heading, no_wrap=True)
    rows.add_column("restarts", justify="right", no_wrap=True)
    rows.add_column("image", no_wrap=True)
    for heading in ("memory", "up"):
        rows.add_column(heading, justify="right", no_wrap=True)
    for seen in found.services:
        rows.add_row(
            seen.name,
            Text(seen.state, _WORDS.get(seen.state, "cyan")),
            Text(seen.health, _WORDS.get(seen.health, "cyan")),
            str(seen.restarts),
            seen.container.image if seen.container else "",
            memory(seen),
            uptime(seen, now),
        )
    return rows


def memory(seen: Seen) -> str:
    """Used and, where there is one, the limit."""
    limit = seen.container.memory_limit if seen.container else 0
    if not seen.memory_bytes and not limit:
        return ""
    used = f"{seen.memory_bytes / MB:.0f}" if seen.memory_bytes else "?"
    return f"{used}/{limit / MB:.0f} MB" if limit else f"{used} MB"


def uptime(seen: Seen, now: float) -> str:
    container = seen.container
    return (
        span(now - container.started_at)
        if container and container.is_running and container.started_at
        else ""
    )


def layers(found: Survey) -> Iterator[Text]:
    """What confines the services."""
    words = in_words((seen.name, seen.confinement) for seen in found.services if seen.confinement)
    if words:
        yield Text.assemble((f"\n{'confined by':<16}", "dim"), words)


def doors(found: Survey) -> Iterator[Text]:
    """Where other machines come in, when they may."""
    if found.exposed:
        yield Text.assemble((f"{'open to others':<16}", "dim"), f"{found.exposed}, with a key")
        address, _, port = found.exposed.rpartition(":")
        if port != str(EXPOSED_PORT) and not is_loopback(address.strip("[]")):
            # The script, which root runs, does not read the user's settings.
            yield Text(f"{'':<16}if a firewall is on: {OPEN_PORT} {port}", "dim")


def troubles(found: Survey) -> Iterator[Text]:
    """For every service that is not well: what is wrong, its last error, and what to do."""
    for seen in found.ill:
        yield Text.assemble("\n", (seen.name, "bold"), f": {seen.trouble}")
        if seen.last_error:
            yield Text(f"  last error: {seen.last_error}")
        yield Text(f"  what to do: {seen.remedy}{_option(found) if DEPLOY in seen.remedy else ''}", "dim")


def _option(found: Survey) -> str:
    match found.environment:
        case "default":
            return ""
        case "dev":
            return " --dev"
        case name:
            return f" --env {name}"
