"""One call to llama.cpp, in a thread of the host process."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any

import orjson

from ai_services.llm.engines.llama.merging import merged
from ai_services.llm.engines.llama.order import (
    CANCELLED,
    CONTEXT_EXCEEDED,
    INVALID,
    SERVER,
    Order,
    Refusal,
)
from ai_services.llm.engines.llama.wire import Kind

# llama.cpp escapes quotes inside texts, so none of these can be part of what a model wrote.
_PROGRESS = b',"prompt_progress":{'
_USAGE = b',"usage":{'
_ERROR = b'{"error":'
_ONLY_TALLY = b'{"choices":[],'

OUTCOME_HEADER = struct.Struct("<d")

Emit = Callable[[Kind, bytes], None]


class Generation:
    """Takes llama.cpp's chunks and emits frames: CHUNKs if the order wants them, then DONE or FAILED."""

    def __init__(self, order: Order, context: int, emit: Emit) -> None:
        self._order = order
        self._context = context
        self._emit = emit
        self._started = time.perf_counter()
        self._first_s = 0.0
        self._chunks: list[bytes] = []
        self._tally = b"{}"
        self._refusal: Refusal | None = None
        self._checked = False

    def cancel(self) -> None:
        """Stop at the next chunk. May be called from any thread, more than once."""
        self._refusal = self._refusal or Refusal(CANCELLED, "cancelled")

    def run(self, server: Any) -> None:
        """Let the server answer; returns when it is done, has refused, or noticed the cancellation."""
        handle = server.handle_chat_completions if self._order.chat else server.handle_completions
        outcome = b""
        try:
            handle(self._order.body, self._take)
            outcome = self._outcome()
        except ValueError as error:
            self._refusal = self._refusal or Refusal(INVALID, str(error))
        except Exception as error:  # noqa: BLE001 - whatever C++ throws, the caller has to hear of it
            self._refusal = self._refusal or Refusal(SERVER, str(error))
        if self._refusal:
            self._emit(Kind.FAILED, self._refusal.packed())
        else:
            self._emit(Kind.DONE, OUTCOME_HEADER.pack(self._first_s) + outcome)

    def _outcome(self) -> bytes:
        if self._order.whole and not self._refusal:
            return orjson.dumps(merged(map(orjson.loads, self._chunks)))
        return self._tally

    def _take(self, chunk: bytes) -> bool:
        """llama.cpp's callback. True stops it."""
        if self._refusal:
            return True
        if _PROGRESS in chunk:
            return self._check_context(chunk)
        if chunk.startswith(_ERROR):
            self._refusal = _refusal(orjson.loads(chunk)["error"])
            return True
        if not self._first_s:
            self._first_s = time.perf_counter() - self._started
        self._hand_on(chunk)
        return False

    def _hand_on(self, chunk: bytes) -> None:
        if _USAGE in chunk:
            self._tally = chunk
        if self._order.whole:
            self._chunks.append(chunk)
        elif self._order.tally or not chunk.startswith(_ONLY_TALLY):
            self._emit(Kind.CHUNK, chunk)

    def _check_context(self, chunk: bytes) -> bool:
        """Refuse, before anything is computed, what cannot be written to its end."""
        if not self._checked:
            self._checked = True
            total = orjson.loads(chunk)["prompt_progress"]["total"]
            if total + self._order.reserve > self._context:
                self._refusal = Refusal(CONTEXT_EXCEEDED, "", total, self._context)
        return self._refusal is not None


def _refusal(error: dict[str, Any]) -> Refusal:
    return Refusal(
        kind=error.get("type", SERVER),
        message=error.get("message", ""),
        n_prompt_tokens=error.get("n_prompt_tokens", 0),
        n_ctx=error.get("n_ctx", 0),
    )
