"""A call to llama.cpp, as the service sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import orjson

from ai_semble.errors import AiSembleError, InternalError, InvalidRequest
from ai_services.llm.engines.llama.generation import OUTCOME_HEADER
from ai_services.llm.engines.llama.order import CANCELLED, CONTEXT_EXCEEDED, INVALID, Refusal
from ai_services.llm.engines.llama.wire import Frame, Kind
from ai_services.llm.engines.protocol import Tally, until_end
from ai_services.llm.errors import ContextLengthExceeded, EngineFailed


class LlamaGeneration:
    """Collects the frames of one call. `ended` is done when llama.cpp has freed the slot."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        self.ended: asyncio.Future[Tally | None] = asyncio.get_running_loop().create_future()
        self._cancel = cancel
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._items: asyncio.Queue[bytes | AiSembleError | None] = asyncio.Queue()
        self._cancelled = False
        self._answer = b""

    async def whole(self) -> bytes:
        item = await self._items.get()
        if isinstance(item, AiSembleError):
            raise item
        return self._answer

    def chunks(self) -> AsyncIterator[bytes]:
        return until_end(self._items)

    def fail(self, error: AiSembleError | None = None) -> None:
        if self.ended.done() or self._cancelled:
            return
        self._cancelled = True
        self._items.put_nowait(error)
        self._cancel()

    def lose(self, error: AiSembleError) -> None:
        """The process is gone, and the call with it."""
        if not self.ended.done():
            self._items.put_nowait(error)
            self.ended.set_result(None)

    def take(self, frame: Frame) -> None:
        """The next frame of this call."""
        match frame.kind:
            case Kind.CHUNK:
                self._items.put_nowait(frame.payload)
            case Kind.DONE:
                (first_s,) = OUTCOME_HEADER.unpack_from(frame.payload)
                self._answer = frame.payload[OUTCOME_HEADER.size :]
                self._items.put_nowait(None)
                self.ended.set_result(_tally(self._answer, first_s, self._clock() - self._began))
            case Kind.FAILED:
                self._items.put_nowait(problem_of(Refusal.unpacked(frame.payload)))
                self.ended.set_result(None)
            case _:
                raise AssertionError(frame.kind)


def _tally(answer: bytes, first_s: float, total_s: float) -> Tally:
    usage = orjson.loads(answer).get("usage") or {}
    return Tally(
        prompt_tokens=usage.get("prompt_tokens", 0),
        cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0),
        completion_tokens=usage.get("completion_tokens", 0),
        first_token_s=first_s,
        total_s=total_s,
    )


def problem_of(refusal: Refusal) -> AiSembleError:
    """What llama.cpp says, as one of our errors."""
    match refusal.kind:
        case str() as kind if kind == CONTEXT_EXCEEDED:
            return ContextLengthExceeded(
                f"The prompt has {refusal.n_prompt_tokens} tokens, and the context of {refusal.n_ctx} tokens "
                "does not hold it together with the answer",
                extra={"n_prompt_tokens": refusal.n_prompt_tokens, "n_ctx": refusal.n_ctx},
            )
        case str() as kind if kind == INVALID:
            return InvalidRequest(f"The engine refused the request: {refusal.message}")
        case str() as kind if kind == CANCELLED:
            return InternalError("The call was cancelled, and yet waited for")
        case _:
            return EngineFailed(f"The engine failed: {refusal.message}", retry_after=1)
