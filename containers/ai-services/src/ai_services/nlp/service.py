"""The service between the routes and the engines: worker threads, metrics, and what happens at start."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from ai_semble.cores import usable_cores
from ai_semble.errors import AiSembleError
from ai_semble.health import HealthBoard
from ai_semble.logs import get_logger
from ai_semble.metrics import Metrics
from ai_semble.schemas.health import State
from ai_semble.workpool import WorkPool
from ai_services.nlp.engines.shelf import Engines
from ai_services.nlp.tools import Tools

T = TypeVar("T")


class NlpService:
    """Runs the work of requests in `workers` threads; `waiting` more requests wait in order of arrival."""

    def __init__(
        self, engines: Engines, *, workers: int, waiting: int, metrics: Metrics, health: HealthBoard
    ) -> None:
        self.engines = engines
        self._health = health
        self._pool = WorkPool("nlp", threads=workers or usable_cores(), waiting=waiting, metrics=metrics)
        self._texts = metrics.counter("ai_semble_nlp_texts", "Texts processed.", ["task"])
        self._seconds = metrics.histogram(
            "ai_semble_nlp_task_duration_seconds", "Time computing one request, without waiting.", ["task"]
        )

    async def run(self, task: str, texts: int, work: Callable[[Tools], T]) -> T:
        """Do blocking work in a worker thread; it is told to stop when the caller is cancelled."""
        tools = Tools(self.engines, threading.Event())

        def timed() -> T:
            began = time.perf_counter()
            result = work(tools)
            self._seconds.labels(task).observe(time.perf_counter() - began)
            self._texts.labels(task).inc(texts)
            return result

        try:
            return await self._pool.run(timed)
        except asyncio.CancelledError:
            tools.stop.set()
            raise

    async def start(self, preload: Sequence[str]) -> None:
        """Look which models are there, open those of `preload`, and report what is missing."""
        missing = self.engines.announce()
        self._health.set_state(State.LOADING)
        for model in self.engines.named(preload):
            try:
                await self._pool.run(model.get)
            except AiSembleError as error:
                missing.append(model.name)
                get_logger(__name__).warning("model_not_loaded", model=model.name, reason=error.detail)
        if missing:
            names = ", ".join(dict.fromkeys(missing))
            self._health.set_state(State.DEGRADED, f"These models are missing or damaged: {names}.")
        else:
            self._health.set_state(State.READY)

    def close(self) -> None:
        self._pool.close()
