"""What the supervisor tells others of its services, in a file that is always whole."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ai_semble.embedded.lifecycle import Phase


class ServiceState(BaseModel):
    """One service. Times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True)

    phase: Phase
    pid: int | None
    port: int
    started_at: float
    restarts: int
    quick_deaths: int
    is_failing: bool
    last_exit: str
    last_error: str
    next_start_at: float


class SupervisorState(BaseModel):
    """The supervisor and all its services."""

    model_config = ConfigDict(frozen=True)

    pid: int
    environment: str
    started_at: float
    services: dict[str, ServiceState]


def write_state(path: Path, state: SupervisorState) -> None:
    """Replace the file. A full disk must not stop a service: then the file stays as it was."""
    new = path.with_name(path.name + ".new")
    try:
        new.write_text(state.model_dump_json(), encoding="utf-8")
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)


def read_state(path: Path) -> SupervisorState | None:
    """What the present or the last supervisor said; None when there is nothing that can be read."""
    try:
        return SupervisorState.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        return None
