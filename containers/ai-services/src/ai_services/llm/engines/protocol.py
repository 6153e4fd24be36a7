"""What the service asks of an engine. The rest of the service knows engines only by this."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from ai_semble.errors import AiSembleError


@dataclass(frozen=True)
class Call:
    """One request in OpenAI's shape: a chat completion, or (`chat` False) a plain one.

    `stream` says whether chunks are wanted or the whole answer; `reserve` is how many tokens of the
    context have to be left for it.
    """

    chat: bool
    stream: bool
    body: Mapping[str, Any]
    reserve: int = 1

    @property
    def choices(self) -> int:
        """Answers wanted; each takes a slot."""
        return int(self.body.get("n") or 1)


@dataclass(frozen=True)
class Tally:
    """What a call took: tokens, and seconds since the engine began."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    first_token_s: float = 0.0
    total_s: float = 0.0

    @property
    def tokens_per_second(self) -> float:
        """Speed of writing, the wait for the first token left out."""
        writing = self.total_s - self.first_token_s
        return (self.completion_tokens - 1) / writing if writing > 0 and self.completion_tokens > 1 else 0.0


class Generation(Protocol):
    """A call under way. It occupies the engine until `ended` is done, whoever still listens."""

    ended: asyncio.Future[Tally | None]
    """Done when the engine has let go of the call: with its tally, or None when it has none. Never fails."""

    async def whole(self) -> bytes:
        """The answer as OpenAI's JSON. Raises AiSembleError."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The answer's chunks as OpenAI's JSON, one by one. Raises AiSembleError."""

    def fail(self, error: AiSembleError | None = None) -> None:
        """Stop soon. Who still listens gets the error. Does nothing to a call that has ended."""


class EngineState(StrEnum):
    """How an engine is."""

    IDLE = "idle"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    EngineState.IDLE: "The model is loaded at its first use.",
    EngineState.LOADING: "The model is being loaded.",
    EngineState.READY: "The model answers.",
    EngineState.FAILED: "The model cannot answer.",
}


@dataclass(frozen=True)
class ModelFacts:
    """A model that answers, as the engine found it, not as it was configured."""

    name: str
    device: str
    context: int | None = None
    created: int = 0
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class EngineStatus:
    """An engine's present state. `error` is what a call would get now, unless it is ready."""

    state: EngineState
    models: tuple[ModelFacts, ...] = ()
    error: AiSembleError | None = None

    @property
    def reason(self) -> str:
        return f"{self.error.detail}. {self.error.user_hint}" if self.error else self.state.sentence


Report = Callable[[EngineStatus], None]


class Engine(Protocol):
    """Answers calls."""

    @property
    def status(self) -> EngineStatus:
        """How it is now."""

    async def start(self) -> None:
        """Begin to load or to look for models; returns at once."""

    async def begin(self, call: Call) -> Generation:
        """Hand the call to the model. Raises AiSembleError for what can be refused beforehand."""

    def memory_bytes(self) -> int:
        """Resident memory that the engine takes outside this process."""

    async def close(self) -> None:
        """End everything."""


async def until_end(items: asyncio.Queue[bytes | AiSembleError | None]) -> AsyncIterator[bytes]:
    """What a generation writes, until None says that it is whole; an error among it is raised."""
    while (item := await items.get()) is not None:
        if isinstance(item, AiSembleError):
            raise item
        yield item
