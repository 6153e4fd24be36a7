"""Whether a call is made again, and when."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from ai_semble_client.errors import (
    AiSembleError,
    LimitReached,
    NotAvailable,
    NotReached,
    ProblemError,
    SilentServer,
)


@dataclass(frozen=True)
class Backoff:
    """Doubling waits with jitter. What the server asks for is waited for, if it is not longer than `longest_s`."""

    retries: int = 4
    first_s: float = 0.5
    longest_s: float = 60
    chance: Callable[[], float] = random.random

    def wait_after(self, error: AiSembleError, attempt: int, *, repeatable: bool) -> float | None:
        """Seconds until the next attempt, or None when `error` is to be told. The first attempt is number 1."""
        if attempt > self.retries or not repeatable or not _may_pass(error):
            return None
        wait = min(self.first_s * 2.0 ** (attempt - 1), self.longest_s) * (0.5 + self.chance() / 2)
        asked = error.retry_after if isinstance(error, ProblemError) else None
        if asked is None:
            return wait
        # Some later, as everybody else was told the same second.
        return None if asked > self.longest_s else asked + wait / 4


def _may_pass(error: AiSembleError) -> bool:
    match error:
        case SilentServer():
            return False  # it may still be at work: asking again would double it
        case NotReached() | LimitReached() | NotAvailable():
            return True
        case _:
            return False
