"""Who may use the engine now: a fixed number of slots, and a bounded queue in order of arrival."""

from __future__ import annotations

import asyncio
from collections import deque

from ai_semble.errors import Overloaded

FIRST_GUESS_S = 5.0
WEIGHT_OF_NEWEST = 0.2


class Turn:
    """Slots that one call holds until it gives them back."""

    def __init__(self, admission: Admission, slots: int, now: float) -> None:
        self._admission = admission
        self._slots = slots
        self._since = now

    def give_back(self) -> None:
        """To be called once."""
        self._admission.free(self._slots, self._since)


class Admission:
    """`slots` are in use at once, `queue` calls wait; beyond that `Overloaded`."""

    def __init__(self, slots: int, queue: int) -> None:
        self.slots = slots
        self.busy = 0
        self._queue = queue
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._mean_s = FIRST_GUESS_S

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def turn(self, slots: int = 1) -> Turn:
        """Wait for this many free slots, at most all. Raises Overloaded at once when the queue is full."""
        loop = asyncio.get_running_loop()
        if self._waiting or self.busy + slots > self.slots:
            await self._wait(slots, loop)
        else:
            self.busy += slots
        return Turn(self, slots, loop.time())

    def free(self, slots: int, since: float) -> None:
        """Take slots back; they were in use since then."""
        took = asyncio.get_running_loop().time() - since
        self._mean_s += WEIGHT_OF_NEWEST * (took - self._mean_s)
        self.busy -= slots
        self._admit_next()

    async def _wait(self, slots: int, loop: asyncio.AbstractEventLoop) -> None:
        if len(self._waiting) >= self._queue:
            raise Overloaded(
                f"All {self.slots} slots are busy and {len(self._waiting)} requests wait already",
                retry_after=self._mean_s * (1 + len(self._waiting) / self.slots),
            )
        place = (slots, loop.create_future())
        self._waiting.append(place)
        try:
            await place[1]
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
            else:  # admitted and cancelled in the same moment
                self.busy -= slots
            self._admit_next()
            raise

    def _admit_next(self) -> None:
        while self._waiting and self.busy + self._waiting[0][0] <= self.slots:
            slots, admitted = self._waiting.popleft()
            self.busy += slots
            admitted.set_result(None)
