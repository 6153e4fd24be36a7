"""llama.cpp as an engine: keeps one host process running with one model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ai_semble.errors import AiSembleError, NotReady
from ai_semble.logs import get_logger
from ai_services.llm.engines.llama.calls import LlamaGeneration
from ai_services.llm.engines.llama.order import Loaded, Settings
from ai_services.llm.engines.llama.preparing import order_of
from ai_services.llm.engines.llama.process import HostProcess
from ai_services.llm.engines.protocol import Call, EngineState, EngineStatus, ModelFacts, Report
from ai_services.llm.errors import EngineFailed

log = get_logger(__name__)

LOOK_AGAIN_S = 5.0
FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
STEADY_AFTER_S = 60.0


class LlamaEngine:
    """Loads the model at the start, or at its first use with `lazy`, and again whenever its process ends.

    `locate` gives the path of the GGUF file, and `verify` reads its model through; both raise what callers are to be
    told.
    """

    def __init__(
        self,
        settings: Settings,
        locate: Callable[[], Path],
        verify: Callable[[], None],
        *,
        lazy: bool,
        cancel_limit_s: float,
        report: Report,
    ) -> None:
        self._settings = settings
        self._locate = locate
        self._verify = verify
        self._report = report
        self._cancel_limit_s = cancel_limit_s
        self._host: HostProcess | None = None
        self._wanted = asyncio.Event()
        self._settled = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._lazy = lazy
        self._status = EngineStatus(EngineState.IDLE)

    @property
    def status(self) -> EngineStatus:
        return self._status

    async def start(self) -> None:
        if not self._lazy:
            self._wanted.set()
        self._set(EngineStatus(EngineState.IDLE, self._promised()))
        self._keeping = asyncio.create_task(self._keep_running())

    async def begin(self, call: Call) -> LlamaGeneration:
        order = await asyncio.to_thread(order_of, call, self._settings.slots)
        if self._lazy:
            self._wanted.set()
            await self._settled.wait()
        if self._host is None:
            raise self._status.error or NotReady("The model is being loaded", retry_after=2)
        return self._host.begin(order)

    def memory_bytes(self) -> int:
        return self._host.memory_bytes() if self._host else 0

    async def close(self) -> None:
        if self._keeping:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])

    async def _keep_running(self) -> None:
        await self._wanted.wait()
        delay = FIRST_DELAY_S
        while True:
            started = time.monotonic()
            try:
                await self._live_once()
            except EngineFailed as error:
                delay = FIRST_DELAY_S if time.monotonic() - started > STEADY_AFTER_S else delay
                self._fail(error, delay)
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY_S)
            except AiSembleError as error:  # the model is not installed, or damaged: that may change
                self._fail(error, LOOK_AGAIN_S)
                await asyncio.sleep(LOOK_AGAIN_S)

    async def _live_once(self) -> None:
        """From finding the model to the end of its process; always ends with an AiSembleError."""
        path = await asyncio.to_thread(self._locate)
        self._settled.clear()
        self._set(EngineStatus(EngineState.LOADING, self._promised()))
        await asyncio.to_thread(self._verify)
        host = await HostProcess.spawn(self._cancel_limit_s)
        try:
            started = time.monotonic()
            loaded = await host.load(replace(self._settings, path=str(path)))
            self._host = host
            self._welcome(loaded, time.monotonic() - started)
            ending = await host.wait()
        finally:
            self._host = None
            await host.kill()
        raise EngineFailed(f"llama.cpp ended by itself ({ending})", retry_after=FIRST_DELAY_S + 1)

    def _welcome(self, loaded: Loaded, seconds: float) -> None:
        facts = ModelFacts(
            name=self._settings.name,
            device="+".join(loaded.devices),
            context=loaded.context,
            created=int(time.time()),
            details={
                "trained_context": loaded.trained_context,
                "parameters": loaded.parameters,
                "quantisation": loaded.quantisation,
            },
        )
        self._set(EngineStatus(EngineState.READY, (facts,)))
        self._settled.set()
        log.info("model_loaded", model=facts.name, device=facts.device, ms=round(seconds * 1000))
        if loaded.context > loaded.trained_context:
            log.warning("context_longer_than_trained", context=loaded.context, trained=loaded.trained_context)

    def _promised(self) -> tuple[ModelFacts, ...]:
        return (ModelFacts(self._settings.name, ""),)

    def _fail(self, error: AiSembleError, delay: float) -> None:
        error.retry_after = error.retry_after or delay
        self._set(EngineStatus(EngineState.FAILED, self._promised(), error))
        self._settled.set()
        log.error("engine_failed", reason=error.detail, again_in_s=delay)

    def _set(self, status: EngineStatus) -> None:
        self._status = status
        self._report(status)
