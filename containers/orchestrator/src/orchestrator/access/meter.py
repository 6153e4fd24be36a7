"""How many tokens one call used, from its answer as it passes by. Pure."""

from __future__ import annotations

import re

from ai_semble.errors import AiSembleError
from orchestrator.access.tokens import UsageReader

# What a service says that had no place for a call, or no model yet; in JSON a text cannot have these quotes in it.
_NOT_BEGUN = re.compile(rb'"code":\s*"(overloaded|not_ready)"')


class Meter:
    """Tell it what comes of a call, then ask `used`."""

    def __init__(self) -> None:
        self._status = 0
        self._was_asked = True
        self._usage = UsageReader()

    def begin(self, status: int) -> None:
        self._status = status

    def feed(self, chunk: bytes) -> None:
        self._usage.feed(chunk)

    def fail(self, error: AiSembleError) -> None:
        """There is no answer but this. The gateway raises 503 only before it has asked the service."""
        if not self._status:
            self._status = error.status
            self._was_asked = error.status != 503

    def used(self) -> int | None:
        """None when that is not known: an answer that broke off, or does not tell."""
        if 400 <= self._status < 500 or not self._was_asked:
            return 0  # refused before anything was computed
        if self._status == 503:
            return 0 if self._usage.begins_with(_NOT_BEGUN) else None
        return self._usage.total() if self._status == 200 else None
