"""How an environment looks on a terminal: the table, what is wrong with what is not well, and what to do."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ai_semble.display import STYLES, device, model_lines, models, show_first_call, size, span
from ai_semble.embedded.survey import Seen, Survey
from ai_semble.topology import LLM, ORCHESTRATOR

ISOLATION = (
    "Embedded mode: nothing isolates these services from each other or from your files.\n"
    "The pod does, where there is Podman: ./scripts/setup.sh && ./scripts/deploy.sh start"
)

# Columns: what a table wants is asked as if there were so many.
UNBOUNDED = 1000


def table(found: Survey, now: float, *, wide: bool) -> Table:
    """One row a service; a wide one has its models and their device, too."""
    rows = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    names = ("model", "device") if wide else ()
    for heading in ("service", "port", "state", *names):
        rows.add_column(heading, no_wrap=True)
    for heading in ("memory", "up", "restarts"):
        rows.add_column(heading, justify="right", no_wrap=True)
    for seen in found.services:
        rows.add_row(
            seen.name,
            str(seen.port),
            Text(seen.state, STYLES.get(seen.state, "cyan")),
            *(cell(seen.health) for cell in (models, device) if wide),
            size(seen.memory_bytes),
            uptime(seen, now),
            str(seen.kept.restarts) if seen.kept else "",
        )
    total = sum(seen.memory_bytes for seen in found.services)
    rows.add_row(*("" for _ in ("service", "port", "state", *names)), Text(size(total), "dim"))
    return rows


def uptime(seen: Seen, now: float) -> str:
    return span(now - seen.kept.started_at) if seen.kept and seen.kept.pid and seen.kept.started_at else ""


def troubles(found: Survey, now: float) -> Iterator[Text]:
    """For every service that is not well: what is wrong, its last error, and where to look."""
    for seen in found.services:
        if seen.is_well:
            continue
        yield Text.assemble("\n", (seen.name, "bold"), ": ", _what_is_wrong(seen, now))
        if seen.kept and seen.kept.last_error:
            yield Text(f"  last error: {seen.kept.last_error}")
        yield Text(f"  what to do: ./scripts/deploy.sh logs {seen.name}", "dim")


def _what_is_wrong(seen: Seen, now: float) -> str:
    if seen.health is not None:
        return seen.health.reason
    if seen.kept is None:
        return "It has not been started yet."
    kept = seen.kept
    words = kept.phase.sentence
    if kept.last_exit:
        words += f" Its last end: {kept.last_exit}; restarts: {kept.restarts}."
    if kept.pid is None and kept.next_start_at > now:
        words += f" Next try in {span(kept.next_start_at - now)}."
    return words


def show_status(console: Console, found: Survey) -> None:
    """The whole screen of `status`."""
    now = time.time()
    console.print(headline(found, now), soft_wrap=True)
    if found.pid is None:
        console.print("Start it: ./scripts/deploy.sh start --embedded", style="dim")
        return
    console.print()
    whole = table(found, now, wide=True)
    if console.measure(whole, options=console.options.update(max_width=UNBOUNDED)).maximum <= console.width:
        console.print(whole)
    else:
        console.print(table(found, now, wide=False))
        for line in model_lines((seen.name, seen.health) for seen in found.services):
            console.print(line, soft_wrap=True)
    for text in troubles(found, now):
        console.print(text, soft_wrap=True)


def headline(found: Survey, now: float) -> Text:
    """One line that says it all."""
    title = Text.assemble(("Ai-semble", "bold"), f" · environment {found.environment} · ")
    if found.pid is None:
        return title.append("stopped", "bold")
    ill = [seen.name for seen in found.services if not seen.is_well]
    if ill:
        title.append(f"not well: {', '.join(ill)}", "bold yellow")
    else:
        title.append("all services are ready", "bold green")
    return title.append(f" · embedded, up {span(now - found.started_at)}") if found.started_at else title


def show_started(console: Console, found: Survey) -> None:
    """What `up` prints at its end."""
    show_status(console, found)
    console.print()
    console.print(ISOLATION, style="dim", highlight=False, soft_wrap=True)
    by_name = {seen.name: seen for seen in found.services}
    if by_name[ORCHESTRATOR.name].serves and by_name[LLM.name].is_well:
        show_first_call(console, by_name[ORCHESTRATOR.name].port)


class Progress:
    """Shows how a start goes: a live list on a terminal, a line for each change elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = (
            Live(console=console, transient=True, refresh_per_second=10) if console.is_terminal else None
        )
        self._known: dict[str, str] = {}

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, found: Survey) -> None:
        if self._live is not None:
            self._live.update(Group(*(self._row(seen) for seen in found.services)))
            return
        for seen in found.services:
            if self._known.get(seen.name) != seen.state:
                self._known[seen.name] = seen.state
                self._console.print(Text(f"{seen.name}: {seen.state}{_reason(seen)}"), soft_wrap=True)

    def _row(self, seen: Seen) -> RenderableType:
        words = Text.assemble(f"{seen.name:<15}", (seen.state, STYLES.get(seen.state, "cyan")), _reason(seen))
        return Text.assemble(("✓ ", "green"), words) if seen.is_well else Spinner("dots", words)


def _reason(seen: Seen) -> str:
    if seen.is_well or seen.health is None:
        return ""
    return f" ({seen.health.reason})"
