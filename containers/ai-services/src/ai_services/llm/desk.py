"""Between the routes and the engine: which model, whose turn, how long, and what is counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from ai_semble.errors import DeadlineExceeded, InvalidRequest, NotReady, Overloaded
from ai_services.llm.admission import Admission, Turn
from ai_services.llm.engines.protocol import (
    Call,
    Engine,
    EngineState,
    EngineStatus,
    Generation,
    Tally,
)
from ai_services.llm.errors import ModelNotFound
from ai_services.llm.meters import Meters

RETRY_LOADING_S = 2


@dataclass(frozen=True)
class Answering:
    """A call that the engine works on, and how long it waited for its turn."""

    generation: Generation
    waited_s: float


class Desk:
    """Takes calls. `others` names models that are installed, but that the engine does not serve."""

    def __init__(
        self,
        engine: Engine,
        admission: Admission,
        meters: Meters,
        time_limit_s: float,
        others: Callable[[], Sequence[str]],
    ) -> None:
        self.engine = engine
        self._admission = admission
        self._meters = meters
        self._time_limit_s = time_limit_s
        self._others = others

    @asynccontextmanager
    async def answering(self, call: Call) -> AsyncIterator[Answering]:
        """The call in the engine's hands; leaving the block stops what is still written.

        Raises NotReady, ModelNotFound, Overloaded, and what the engine refuses.
        """
        call = replace(call, body={**call.body, "model": await self._model_for(call)})
        if call.choices > self._admission.slots:
            raise InvalidRequest(f"`n` is {call.choices}; at most {self._admission.slots} fit at once")
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        turn = await self._turn(call.choices)
        waited = loop.time() - arrived
        generation = await self._begin(call, turn)
        generation.ended.add_done_callback(lambda ended: self._end(turn, ended, waited))
        limit = loop.call_later(self._time_limit_s, self._expire, generation)
        try:
            yield Answering(generation, waited)
        finally:
            limit.cancel()
            generation.fail()

    async def _turn(self, slots: int) -> Turn:
        if self._admission.busy + slots > self._admission.slots:
            self._meters.queued()
        try:
            return await self._admission.turn(slots)
        except Overloaded:
            self._meters.refused()
            raise

    async def _begin(self, call: Call, turn: Turn) -> Generation:
        try:
            return await self.engine.begin(call)
        except BaseException:
            turn.give_back()
            raise

    def _end(self, turn: Turn, ended: asyncio.Future[Tally | None], waited: float) -> None:
        turn.give_back()
        self._meters.ended(ended.result(), waited)

    def _expire(self, generation: Generation) -> None:
        generation.fail(DeadlineExceeded(f"The answer was not complete after {self._time_limit_s:g} s"))

    async def _model_for(self, call: Call) -> str:
        """The name of the model that the call means. Raises what callers get while there is none."""
        status = self.engine.status
        wanted = call.body.get("model")
        if not status.models:
            raise status.error or _not_ready(status)
        names = [model.name for model in status.models]
        if wanted not in (None, *names):
            raise _not_found(str(wanted), names, await asyncio.to_thread(self._others))
        if status.state in (EngineState.LOADING, EngineState.FAILED):
            raise status.error or _not_ready(status)
        return wanted or names[0]


def _not_ready(status: EngineStatus) -> NotReady:
    return NotReady(status.reason.rstrip("."), retry_after=RETRY_LOADING_S)


def _not_found(wanted: str, names: Sequence[str], installed: Sequence[str]) -> ModelNotFound:
    idle = sorted(set(installed) - set(names))
    also = f". Installed, but not served: {', '.join(idle)}; set `llm.model` to use one" if idle else ""
    return ModelNotFound(
        f"There is no model `{wanted}`. Available: {', '.join(names)}{also}",
        extra={"available": list(names), "installed": idle},
    )
