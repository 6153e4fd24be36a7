"""Tokens that are held for one call until it is known what it used."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.access.windows import Window


class Deposit:
    """Held in the owner's window from the beginning."""

    def __init__(self, window: Window, amount: int, clock: Callable[[], float]) -> None:
        self.amount = amount
        self._window = window
        self._clock = clock
        window.hold(amount)

    def spend(self, used: int) -> None:
        """So much was used, while the same may be used again."""
        self._window.spend(used, self._clock())

    def settle(self, used: int) -> None:
        """The call is over, and used so much. To be said once."""
        self._window.settle(self.amount, used, self._clock())
