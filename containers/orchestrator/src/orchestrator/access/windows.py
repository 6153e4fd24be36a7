"""How much was used in the last 60 seconds, and whether more fits. Pure: the time is given.

The promise is exact: when nothing is spent for which `wait` did not say 0 at the same moment, then no 60 seconds,
wherever they begin, hold more than the limit. A token bucket would let twice the limit pass around a full minute.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SPAN_S = 60.0
# What is used within so short a time is remembered as one, at its latest moment, so that a window is at most
# SPAN_S / GRAIN_S entries long. It makes a wait longer by as much, never a window fuller.
GRAIN_S = 0.1
# When what is held will be settled, and for how much, nobody knows.
HELD_RETRY_S = 2.0


@dataclass(slots=True)
class _Slot:
    first: float
    last: float
    amount: int


class Window:
    """Amounts with their times (seconds, never backwards), and amounts that are held while work is going on."""

    def __init__(self, past: Iterable[tuple[float, int]] = ()) -> None:
        self._slots: deque[_Slot] = deque()
        self._spent = 0
        self._held = 0
        for at, amount in past:
            self.spend(amount, at)

    def wait(self, amount: int, limit: int, now: float) -> float:
        """0 when this much fits now; else the seconds until it may; infinity when it never will."""
        if amount > limit:
            return math.inf
        self._forget(now)
        excess = self._spent + self._held + amount - limit
        if excess <= 0:
            return 0
        for slot in self._slots:
            excess -= slot.amount
            if excess <= 0:
                return slot.last + SPAN_S - now
        return HELD_RETRY_S

    def spend(self, amount: int, now: float) -> None:
        if not amount:
            return
        last = self._slots[-1] if self._slots else None
        if last is not None and now - last.first < GRAIN_S:
            last.last = now
            last.amount += amount
        else:
            self._slots.append(_Slot(now, now, amount))
        self._spent += amount

    def hold(self, amount: int) -> None:
        """Count this much until it is settled, however long that takes."""
        self._held += amount

    def settle(self, held: int, used: int, now: float) -> None:
        """What was held is over; this much of it was used, the last of it just now."""
        self._held -= held
        self.spend(used, now)

    def remembered(self, now: float) -> Sequence[tuple[float, int]]:
        """What still counts, as (seconds ago, amount), oldest first; what is held counts as used just now."""
        self._forget(now)
        past = [(now - slot.last, slot.amount) for slot in self._slots]
        return [*past, (0.0, self._held)] if self._held else past

    def _forget(self, now: float) -> None:
        while self._slots and self._slots[0].last <= now - SPAN_S:
            self._spent -= self._slots.popleft().amount
