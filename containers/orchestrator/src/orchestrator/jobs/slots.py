"""How many jobs of one service run at once, and when a service that failed is tried again."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

SHORTEST_S, LONGEST_S = 1.0, 60.0


def back_off(failures: int) -> float:
    """Seconds to wait after so many failures in a row: 1, 2, 4, ... 60."""
    return float(min(LONGEST_S, SHORTEST_S * 2 ** min(failures - 1, 10)))


class Slots:
    """One queue a service. A service that is down or busy keeps its whole queue waiting, not each job apart:
    with ten thousand of them, trying every one would be all that the machine does."""

    def __init__(self, workers: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._turns = defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(workers))
        self._failures = defaultdict[str, int](int)
        self._closed_until = defaultdict[str, float](float)

    @asynccontextmanager
    async def turn(self, service: str) -> AsyncIterator[None]:
        """Wait for a free worker, and until the service is worth a try."""
        async with self._turns[service]:
            while (wait := self._closed_until[service] - self._clock()) > 0:  # noqa: ASYNC110
                await asyncio.sleep(wait)
            yield

    def failed(self, service: str, retry_after: float | None) -> float:
        """The service had no room, or was not there; returns the seconds until it is tried again."""
        if self._closed_until[service] <= self._clock():
            self._failures[service] += 1
        wait = max(back_off(self._failures[service]), min(retry_after or 0, LONGEST_S))
        self._closed_until[service] = max(self._closed_until[service], self._clock() + wait)
        return wait

    def answered(self, service: str) -> None:
        """The service works."""
        self._failures[service] = 0
        self._closed_until[service] = 0
