"""Words and colours in which every backend shows an environment on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from ai_semble.schemas.health import EnvironmentHealth, ModelState, ServiceHealth, State

MB = 1_000_000
STYLES = {
    "ready": "bold green",
    "degraded": "bold yellow",
    "failed": "bold red",
    "failing": "bold red",
    "backing off": "yellow",
    "stopped": "dim",
    "unreachable": "bold red",
}


def model_lines(services: Iterable[tuple[str, ServiceHealth | None]]) -> Iterator[Text]:
    """For each service that has models: which it runs, and where. Names in a table would be cut off."""
    told = [(name, health) for name, health in services if health is not None and health.models]
    for number, (name, health) in enumerate(told):
        place = f" on {device(health)}" if device(health) else ""
        yield Text.assemble("" if number else "\n", (f"{name:<16}", "dim"), models(health), (place, "dim"))


def device(health: ServiceHealth | None) -> str:
    """Where its models compute, as soon as one is loaded."""
    return health.device if health and any(model.device for model in health.models) else ""


def models(health: ServiceHealth | None) -> str:
    """Names of the loaded models, and how many more wait for their first use."""
    if health is None:
        return ""
    loaded = [model.name for model in health.models if model.state is ModelState.LOADED]
    waiting = len(health.models) - len(loaded)
    more = f"{waiting} at first use" if waiting else ""
    return ", ".join([*loaded, *([more] if more else [])])


def size(amount: int) -> str:
    return f"{amount / MB:,.0f} MB" if amount else ""


def span(seconds: float) -> str:
    """A duration as a person says it."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def show_first_call(console: Console, port: int) -> None:
    """A line to paste that gets an answer."""
    line = (
        f"curl -X POST http://localhost:{port}/ai/llm/completion -H 'Content-Type: application/json'"
        """ -d '{"prompt": "Hello, how are you?", "max_tokens": 100, "temperature": 0.7}'"""
    )
    console.print("\nTry it:", style="bold")
    console.print(line, highlight=False, soft_wrap=True)


def show_health(console: Console, health: EnvironmentHealth) -> None:
    """Overall and each service."""
    overall = Text(health.status.value, STYLES.get(health.status.value, "cyan"))
    console.print(Text.assemble(overall, f": {health.reason}"), soft_wrap=True)
    for name, service in health.services.items():
        well = service.state is State.READY
        state = Text(service.state.value, STYLES.get(service.state.value, "cyan"))
        console.print(
            Text.assemble(f"  {name:<15}", state, "" if well else f"  {service.reason}"), soft_wrap=True
        )
