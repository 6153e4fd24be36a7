"""What a service says of itself: its state, its models, and the device that they really run on."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from ai_semble import __version__
from ai_semble.schemas.health import ModelStatus, ServiceHealth, State


class HealthBoard:
    """The present state of one service, written by its lifespan and its engines, read by /health."""

    def __init__(self, service: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._clock = clock
        self._started = clock()
        self._state = State.STARTING
        self._reason = State.STARTING.sentence
        self._models: dict[str, ModelStatus] = {}
        self._process = psutil.Process()
        self._concern: Callable[[], str] = str

    @property
    def state(self) -> State:
        return self._state

    @property
    def reason(self) -> str:
        return self._reason

    def set_state(self, state: State, reason: str = "") -> None:
        self._state = state
        self._reason = reason or state.sentence

    def set_model(self, model: ModelStatus) -> None:
        self._models[model.name] = model

    def drop_model(self, name: str) -> None:
        self._models.pop(name, None)

    def watch(self, concern: Callable[[], str]) -> None:
        """Have this asked with every snapshot: as long as it says something, a ready service is a degraded one, which
        serves nevertheless.
        """
        self._concern = concern

    def snapshot(self) -> ServiceHealth:
        state, reason = self._state, self._reason
        if state is State.READY and (trouble := self._concern()):
            state, reason = State.DEGRADED, trouble
        models = tuple(self._models.values())
        devices = {model.device for model in models if model.device}
        return ServiceHealth(
            service=self._service,
            state=state,
            reason=reason,
            version=__version__,
            device=", ".join(sorted(devices)) or "cpu",
            models=models,
            memory_bytes=resident_bytes(self._process),
            uptime_s=round(self._clock() - self._started, 3),
            pid=self._process.pid,
        )


def resident_bytes(process: psutil.Process) -> int:
    """Resident memory of a process and of the workers that it started."""
    total = 0
    for member in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # a worker may end at any moment
            total += member.memory_info().rss
    return total
