"""What the facts mean: each service in a word, what is wrong with it, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ai_semble.pod.confinement import Confinement
from ai_semble.pod.facts import Container, Facts, Unit
from ai_semble.schemas.health import ServiceHealth, State
from ai_semble.topology import ORCHESTRATOR, SERVICES

DEPLOY = "./scripts/deploy.sh"
_MISSING_IMAGE = ("image not known", "no such image")
_OFTEN = 3
_GPU_GONE = "unresolvable CDI devices"


@dataclass(frozen=True)
class Seen:
    """One service as Podman, systemd and itself see it."""

    name: str
    container: Container | None
    unit: Unit
    own: ServiceHealth | None
    last_error: str
    confinement: Confinement | None

    @property
    def state(self) -> str:
        """Of its container, in one word."""
        if self.container is not None and self.container.is_running:
            return "running"
        if self.unit.sub == "auto-restart" or self.unit.active == "activating":
            return "starting"
        if self.unit.active == "failed":
            return "failed"
        return "stopped"

    @property
    def health(self) -> str:
        """What it says of itself, otherwise what Podman found out; nothing when it does not run."""
        if self.state != "running" or self.container is None:
            return ""
        if self.own is not None and self.own.state is not State.UNREACHABLE:
            return self.own.state.value
        return "starting" if self.container.health == "starting" else "silent"

    @property
    def is_well(self) -> bool:
        return self.health == State.READY.value

    @property
    def restarts(self) -> int:
        """By systemd (quadlet) and by Podman (kube)."""
        return self.unit.restarts + (self.container.restarts if self.container else 0)

    @property
    def memory_bytes(self) -> int:
        return self.own.memory_bytes if self.own and self.state == "running" else 0

    @property
    def trouble(self) -> str:
        """What is wrong, as a sentence."""
        if self.own is not None and self.state == "running" and self.own.state is not State.UNREACHABLE:
            return self.own.reason
        if self.state == "running":
            return (
                "Its process runs and does not answer." if self.health == "silent" else "It has just started."
            )
        return self._absence()

    def _absence(self) -> str:
        if self.unit.sub == "auto-restart" or (self.state == "starting" and self.restarts >= _OFTEN):
            how = "again and again" if self.restarts >= _OFTEN else "again"
            sentence = f"It ended, and is being started {how}."
        elif self.state == "starting":
            sentence = "It is being started."
        elif self.state == "failed":
            sentence = f"systemd could not start it ({self.unit.result or 'no reason given'})."
        elif self.unit.active == "active" and self.container is None:
            sentence = "Its container is gone; somebody removed it."
        else:
            sentence = "It is stopped."
        if self.container is None or self.container.is_running:
            return sentence
        if self.container.was_out_of_memory:
            return f"{sentence} It had used up its memory."
        code = self.container.exit_code
        return f"{sentence} Its last exit status was {code}." if code else sentence

    @property
    def remedy(self) -> str:
        """What to do about it."""
        if self.container is not None and self.container.was_out_of_memory:
            return f"Choose a smaller model in ai-semble.toml, or end other programs; then: {DEPLOY} restart"
        if any(words in self.last_error for words in _MISSING_IMAGE):
            return "./scripts/setup.sh builds the image"
        if _GPU_GONE in self.last_error:
            return "./scripts/setup.sh --check says what is wrong with the GPU; then ./scripts/setup.sh"
        if "not installed" in self.trouble:
            return f"./scripts/setup.sh, or {DEPLOY} models pull"
        if self.state == "stopped":
            return f"{DEPLOY} start"
        return f"{DEPLOY} logs {self.name}"


@dataclass(frozen=True)
class Survey:
    """The environment at one moment."""

    environment: str
    backend: str
    port: int
    services: tuple[Seen, ...]
    trouble: str
    exposed: str = ""

    @property
    def is_running(self) -> bool:
        return any(seen.state != "stopped" for seen in self.services)

    @property
    def is_well(self) -> bool:
        return all(seen.is_well for seen in self.services)

    @property
    def ill(self) -> tuple[Seen, ...]:
        return tuple(seen for seen in self.services if not seen.is_well)

    def document(self) -> dict[str, Any]:
        """For `status --json`."""
        return {
            "environment": self.environment,
            "backend": self.backend,
            "port": self.port,
            "exposed": self.exposed,
            "running": self.is_running,
            "well": self.is_well,
            "trouble": self.trouble,
            "services": {seen.name: _described(seen) for seen in self.services},
        }


def surveyed(facts: Facts) -> Survey:
    """All services in their order."""
    port = facts.meta.get("port", "")
    return Survey(
        facts.meta.get("environment", "default"),
        facts.meta.get("backend", ""),
        int(port) if port.isdecimal() else ORCHESTRATOR.port,
        tuple(
            Seen(
                name,
                facts.containers.get(name),
                facts.units.get(name, Unit()),
                facts.healths.get(name),
                facts.last_errors.get(name, ""),
                facts.confinements.get(name),
            )
            for name in SERVICES
        ),
        facts.trouble,
        facts.meta.get("exposed", ""),
    )


def _described(seen: Seen) -> dict[str, Any]:
    container = seen.container
    return {
        "state": seen.state,
        "health": seen.health,
        "well": seen.is_well,
        "restarts": seen.restarts,
        "image": container.image if container else "",
        "digest": container.digest if container else "",
        "memory_bytes": seen.memory_bytes,
        "memory_limit": container.memory_limit if container else 0,
        "started_at": container.started_at if container else 0,
        "models": [model.model_dump(mode="json") for model in seen.own.models] if seen.own else [],
        "device": seen.own.device if seen.own else "",
        "confinement": seen.confinement.document() if seen.confinement else None,
        "last_error": "" if seen.is_well else seen.last_error,
        "trouble": "" if seen.is_well else seen.trouble,
        "remedy": "" if seen.is_well else seen.remedy,
    }
