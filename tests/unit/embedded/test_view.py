"""How an environment of processes looks on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from ai_semble.embedded.lifecycle import Phase
from ai_semble.embedded.state import ServiceState
from ai_semble.embedded.survey import Seen, Survey
from ai_semble.embedded.view import Progress, show_started
from ai_semble.schemas.health import ModelState, ModelStatus, ServiceHealth, State
from ai_semble.topology import SERVICES

MODELS = ("qwen2.5-coder-0.5b-instruct", "use-multilingual-v3", "lid-176")


def environment(state: State = State.READY, reason: str = "All is well.") -> Survey:
    """Every service with models, all in the same state, ten restarts and a gigabyte each."""
    models = tuple(
        ModelStatus(name=name, task="chat", state=ModelState.LOADED, device="cpu") for name in MODELS
    )
    kept = ServiceState(
        phase=Phase.RUNNING, pid=1, port=8080, started_at=1.0, restarts=10, quick_deaths=0, is_failing=False,
        last_exit="", last_error="", next_start_at=0,
    )  # fmt: skip
    seen = (
        Seen(
            name, service.port, True, kept,
            ServiceHealth(
                service=name, state=state, reason=reason, version="2.0.0", device="cpu", models=models,
                memory_bytes=1_234_000_000,
            ),
        )
        for name, service in SERVICES.items()
    )  # fmt: skip
    return Survey("default", 1, 1.0, tuple(seen))


def terminal(width: int = 80) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, width=width), text


def test_what_a_start_ends_with_fits_80_columns_and_no_name_is_cut() -> None:
    console, text = terminal()
    show_started(console, environment())
    screen, _, _ = text.getvalue().partition("Embedded mode")
    assert max(map(len, screen.splitlines())) <= 80
    for name in SERVICES:
        (line,) = [line for line in screen.splitlines() if line.startswith(name) and MODELS[0] in line]
        assert line.endswith(f"{', '.join(MODELS)} on cpu")
    assert "…" not in screen


def test_a_wide_terminal_has_models_and_device_in_the_table() -> None:
    console, text = terminal(width=160)
    show_started(console, environment())
    screen, _, _ = text.getvalue().partition("Embedded mode")
    headings = ["service", "port", "state", "model", "device", "memory", "up", "restarts"]
    assert screen.splitlines()[2].split() == headings
    for name in SERVICES:
        (line,) = [line for line in screen.splitlines() if line.startswith(name)]
        assert f"{', '.join(MODELS)}  cpu " in line


def test_a_command_in_a_reason_stays_in_one_line() -> None:
    console, text = terminal()
    reason = "the model `m` is damaged: [a] is missing. Fetch it again with: ./scripts/deploy.sh models pull --force m"
    with Progress(console) as progress:
        progress(environment(State.FAILED, reason))
    assert text.getvalue().splitlines() == [f"{name}: failed ({reason})" for name in SERVICES]
