"""What the jobs that have not ended hold of their owners' tokens, and what each attempt used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Deposit(Protocol):
    """Tokens that are held until they are settled, once."""

    @property
    def amount(self) -> int: ...

    def spend(self, used: int) -> None:
        """An attempt used so much; another may follow."""

    def settle(self, used: int) -> None:
        """Give back what is held, after so much was used."""


Hold = Callable[[], Deposit]
"""Holds the tokens of one job, or raises why not."""


class Bills:
    """In memory, as the budgets are; a start opens those of the jobs that it finds."""

    def __init__(self) -> None:
        self._deposits: dict[str, Deposit] = {}

    def open(self, job_id: str, deposit: Deposit | None) -> None:
        if deposit is not None:
            self._deposits[job_id] = deposit

    def pay(self, job_id: str, used: int | None) -> None:
        """After an attempt; None when nobody knows what it used, so that it may have been all."""
        if deposit := self._deposits.get(job_id):
            deposit.spend(deposit.amount if used is None else used)

    def close(self, job_id: str) -> None:
        """The job has ended."""
        if deposit := self._deposits.pop(job_id, None):
            deposit.settle(0)
