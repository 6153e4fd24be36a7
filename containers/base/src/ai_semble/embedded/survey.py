"""Asks every service how it is, and joins the answers with what the supervisor knows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psutil
from pydantic import ValidationError

from ai_semble import __version__
from ai_semble.config import Config
from ai_semble.embedded import http
from ai_semble.embedded.lifecycle import Phase
from ai_semble.embedded.state import ServiceState, SupervisorState, read_state
from ai_semble.embedded.supervise import lock_of, state_file
from ai_semble.health import resident_bytes
from ai_semble.listening import address_of
from ai_semble.schemas.health import EnvironmentHealth, ServiceHealth, State
from ai_semble.secrets import health_token
from ai_semble.topology import ORCHESTRATOR, SERVICES


@dataclass(frozen=True)
class Seen:
    """One service as both its supervisor and itself see it; `wanted` when a supervisor runs."""

    name: str
    port: int
    wanted: bool
    kept: ServiceState | None
    health: ServiceHealth | None

    @property
    def state(self) -> str:
        """One word: the service's own when it answers, otherwise the supervisor's."""
        if self.health is not None:
            return self.health.state.value
        otherwise = Phase.STARTING if self.wanted else Phase.STOPPED
        return (self.kept.phase if self.kept else otherwise).value.replace("_", " ")

    @property
    def is_well(self) -> bool:
        return self.health is not None and self.health.state is State.READY

    @property
    def serves(self) -> bool:
        return self.health is not None and self.health.state.serves

    @property
    def has_settled(self) -> bool:
        """Whether waiting longer would change nothing by itself."""
        if self.health is None:
            return self.kept is not None and self.kept.is_failing
        return self.health.state.serves or self.health.state is State.FAILED

    @property
    def memory_bytes(self) -> int:
        """Resident memory of the process and its workers."""
        if self.kept is None or self.kept.pid is None:
            return 0
        if self.health is not None:
            return self.health.memory_bytes
        try:
            return resident_bytes(psutil.Process(self.kept.pid))
        except psutil.Error:
            return 0


@dataclass(frozen=True)
class Survey:
    """The environment at one moment. `pid` is the supervisor's; None when nothing runs."""

    environment: str
    pid: int | None
    started_at: float
    services: tuple[Seen, ...]

    @property
    def is_well(self) -> bool:
        return self.pid is not None and all(seen.is_well for seen in self.services)

    @property
    def has_settled(self) -> bool:
        return all(seen.has_settled for seen in self.services)

    def document(self) -> dict[str, Any]:
        """For `status --json`."""
        return {
            "running": self.pid is not None,
            "pid": self.pid,
            "environment": self.environment,
            "started_at": self.started_at,
            "services": {
                seen.name: {
                    "state": seen.state,
                    **(seen.kept.model_dump(mode="json") if seen.kept else {"port": seen.port}),
                    "health": seen.health.model_dump(mode="json") if seen.health else None,
                }
                for seen in self.services
            },
        }


def survey(config: Config) -> Survey:
    """Ask everybody now."""
    pid, state = _supervisor(config)
    ports = _ports(config, state)
    healths = asyncio.run(_healths(config, ports)) if pid else {}
    kept = state.services if state else {}
    seen = tuple(
        Seen(name, port, wanted=pid is not None, kept=kept.get(name), health=healths.get(name))
        for name, port in ports.items()
    )
    return Survey(config.environment.name, pid, state.started_at if state else 0, seen)


def port_of_the_api(config: Config) -> int:
    """Where the orchestrator listens, or would when it is started."""
    _, state = _supervisor(config)
    return _ports(config, state)[ORCHESTRATOR.name]


def _supervisor(config: Config) -> tuple[int | None, SupervisorState | None]:
    """The process that runs, and what it has written of itself."""
    paths = config.paths()
    pid = lock_of(paths).holder()
    state = read_state(state_file(paths)) if pid else None
    if state is not None and state.pid != pid:
        state = None  # an earlier supervisor's; the present one has not written yet
    return pid, state


def _ports(config: Config, state: SupervisorState | None) -> dict[str, int]:
    """What runs may have been started with other settings than those of this moment."""
    kept = state.services if state else {}
    return {name: kept[name].port if name in kept else config.port_of(name) for name in SERVICES}


def environment_health(config: Config) -> EnvironmentHealth:
    """The orchestrator's document; when it does not answer, one of the same form made from the others."""
    answer = asyncio.run(_ask(config, ORCHESTRATOR.name, port_of_the_api(config)))
    if answer is not None:
        try:
            return EnvironmentHealth.model_validate(answer)
        except ValidationError:
            pass  # another program has the port
    return made_up_health(config, survey(config))


def made_up_health(config: Config, found: Survey) -> EnvironmentHealth:
    """What the orchestrator would say if it could."""
    services = {seen.name: seen.health or _unreachable(seen) for seen in found.services}
    return EnvironmentHealth(
        status=State.DEGRADED if found.pid else State.UNREACHABLE,
        reason="The orchestrator does not answer." if found.pid else "Ai-semble is not running.",
        environment=config.environment.name,
        version=__version__,
        uptime_s=0,
        memory_bytes=sum(service.memory_bytes for service in services.values()),
        services=services,
    )


def _unreachable(seen: Seen) -> ServiceHealth:
    reason = seen.kept.phase.sentence if seen.kept else State.UNREACHABLE.sentence
    return ServiceHealth(
        service=seen.name, state=State.UNREACHABLE, reason=reason, version=__version__, device=""
    )


async def _healths(config: Config, ports: Mapping[str, int]) -> dict[str, ServiceHealth]:
    answers = await asyncio.gather(*(_ask(config, name, port) for name, port in ports.items()))
    found = {}
    for name, answer in zip(ports, answers, strict=True):
        own = (answer or {}).get("services", {}).get(name, answer)
        try:
            found[name] = ServiceHealth.model_validate(own)
        except ValidationError:
            continue  # no answer, or not one of ours
    return found


def _token(config: Config) -> str:
    """What opens the orchestrator's health where keys are needed; empty when it has never been started."""
    try:
        return health_token(config.paths().token_file.read_text(encoding="ascii").strip())
    except OSError:
        return ""


async def _ask(config: Config, name: str, port: int) -> dict[str, Any] | None:
    timeout_s = config.orchestrator.health_timeout_s + 1
    address = address_of(config, name)
    token = _token(config) if name == ORCHESTRATOR.name else ""
    answer = await http.get(address, port, "/health", timeout_s, token=token)
    try:
        document = json.loads(answer[1]) if answer else None
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
