"""The health of all services, asked at the same time and summed up in one sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import assert_never

from pydantic import ValidationError

from ai_semble import __version__
from ai_semble.config import Config
from ai_semble.errors import AiSembleError
from ai_semble.health import HealthBoard
from ai_semble.schemas.health import EnvironmentHealth, ServiceHealth, State
from orchestrator.environment.once import Once
from orchestrator.gateway.upstreams import Upstreams

_KEEP_S = 0.5


class EnvironmentProbe:
    """Asks every service how it is; answers are shared for half a second."""

    def __init__(self, config: Config, board: HealthBoard, upstreams: Upstreams) -> None:
        self._config = config
        self._board = board
        self._upstreams = upstreams
        self._was_complete = False
        self._once = Once(self._ask_all, _KEEP_S)

    async def health(self) -> EnvironmentHealth:
        return await self._once.get()

    async def missing(self) -> str:
        """Why the environment does not serve yet, empty once it does.

        A service that fails later does not make the others unreachable, so it changes nothing here.
        """
        if not self._was_complete:
            health = await self.health()
            waiting = [name for name, service in health.services.items() if not service.state.serves]
            if waiting:
                return f"Not ready yet: {', '.join(waiting)}."
            self._was_complete = True
        return "" if self._board.state.serves else self._board.reason

    async def _ask_all(self) -> EnvironmentHealth:
        names = list(self._upstreams.services)
        answers = await asyncio.gather(*(self._ask(name) for name in names))
        own = self._board.snapshot()
        services = {own.service: own, **dict(zip(names, answers, strict=True))}
        status, reason = judge(services)
        return EnvironmentHealth(
            status=status,
            reason=reason,
            environment=self._config.environment.name,
            version=__version__,
            uptime_s=own.uptime_s,
            memory_bytes=sum(service.memory_bytes for service in services.values()),
            services=services,
        )

    async def _ask(self, name: str) -> ServiceHealth:
        try:
            answer = await self._upstreams.ask(name, "/health", self._config.orchestrator.health_timeout_s)
            return ServiceHealth.model_validate_json(answer)
        except (AiSembleError, ValidationError) as error:
            reason = error.detail if isinstance(error, AiSembleError) else "Its answer makes no sense."
            return ServiceHealth(
                service=name, state=State.UNREACHABLE, reason=reason, version="", device="", models=()
            )


def judge(services: Mapping[str, ServiceHealth]) -> tuple[State, str]:
    """The state of the whole, and what is wrong with which service."""
    unwell = {name: service for name, service in services.items() if service.state is not State.READY}
    if not unwell:
        return State.READY, State.READY.sentence
    reason = " ".join(_sentence(name, service) for name, service in unwell.items())
    starting = all(_is_coming(service.state) for service in unwell.values())
    return (State.STARTING if starting else State.DEGRADED), reason


def _sentence(name: str, service: ServiceHealth) -> str:
    return f"{name} is {service.state}: {service.reason.rstrip('.')}."


def _is_coming(state: State) -> bool:
    match state:
        case State.STARTING | State.LOADING:
            return True
        case State.READY | State.DEGRADED | State.FAILED | State.UNREACHABLE:
            return False
        case _:
            assert_never(state)
