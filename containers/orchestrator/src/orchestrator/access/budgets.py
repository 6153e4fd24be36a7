"""What each key has used: requests and tokens of the last minute, and requests that run now.

Everything here decides and counts in one step without awaiting, on one event loop; so 200 callers at once are
counted as one after the other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.access.deposits import Deposit
from orchestrator.access.errors import RateLimitExceeded, TokensOverLimit
from orchestrator.access.keys import Key
from orchestrator.access.windows import SPAN_S, Window

Document = dict[str, Any]
# How often to ask again for a place that somebody else has; when it is free is not known.
_PLACE_RETRY_S = 1


@dataclass(slots=True)
class _Account:
    requests: Window = field(default_factory=Window)
    tokens: Window = field(default_factory=Window)
    running: int = 0


class Budgets:
    """The accounts of all keys. `clock` never goes backwards, `calendar` survives a restart."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, calendar: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._calendar = calendar
        self._accounts: dict[str, _Account] = {}
        # Since when (clock, calendar) it is unknown what was used before.
        self._unknown: tuple[float, float] | None = None

    def enter(self, key: Key) -> None:
        """Count a request that begins; `leave` ends it. Raises RateLimitExceeded, and counts nothing then."""
        account, limits, now = self._account(key.id), key.limits, self._clock()
        if limits.parallel is not None and account.running >= limits.parallel:
            raise _exceeded(key, f"{limits.parallel} requests at once", _PLACE_RETRY_S)
        self._count(key, account, now)
        account.running += 1

    def leave(self, key: Key) -> None:
        self._account(key.id).running -= 1

    def count(self, key: Key) -> None:
        """Count a request that takes nobody's place, as those of steps. Raises RateLimitExceeded."""
        self._count(key, self._account(key.id), self._clock())

    def hold_tokens(self, key: Key, limit: int, most: int) -> Deposit:
        """Count as many tokens as a request may use, until it is settled.

        Raises TokensOverLimit when that is more than a minute has, RateLimitExceeded.
        """
        now = self._clock()
        wait = self._account(key.id).tokens.wait(most, limit, now) or self._wait_for_known(key, now)
        if wait == math.inf:
            raise TokensOverLimit(f"Up to {most} tokens, and the key `{key.name}` has {limit} a minute")
        if wait:
            raise _exceeded(key, f"{limit} tokens a minute; this request may use {most}", wait)
        return self.hold_again(key.id, most)

    def hold_again(self, key_id: str, most: int) -> Deposit:
        """Count what a job that was let in before this start may use, also while the keys cannot be read."""
        return Deposit(self._account(key_id).tokens, most, self._clock)

    def document(self) -> Document:
        """All that still counts, for a file."""
        now = self._clock()
        accounts = {
            key_id: {
                "requests": account.requests.remembered(now),
                "tokens": account.tokens.remembered(now),
            }
            for key_id, account in self._accounts.items()
        }
        return {"at": self._calendar(), "accounts": accounts, "unknown": self._unknown_document(now)}

    def _unknown_document(self, now: float) -> Document | None:
        if self._unknown is None or now - self._unknown[0] >= SPAN_S:
            return None
        return {"ago": now - self._unknown[0], "at": self._unknown[1]}

    def restore(self, document: Mapping[str, Any]) -> None:
        """Go on from a `document`. Raises KeyError, TypeError, ValueError, AttributeError when it is none."""
        now = self._clock()
        away = max(0.0, self._calendar() - float(document["at"]))
        unknown = document["unknown"]
        if unknown is not None:
            self._unknown = (now - away - max(0.0, float(unknown["ago"])), float(unknown["at"]))
        for key_id, account in document["accounts"].items():
            self._accounts[key_id] = _Account(
                _window(account["requests"], now - away), _window(account["tokens"], now - away)
            )

    def assume_all_spent(self) -> None:
        """What was used is lost: limited keys that are older than this moment wait for a whole minute."""
        self._accounts.clear()
        self._unknown = (self._clock(), self._calendar())

    def _count(self, key: Key, account: _Account, now: float) -> None:
        limit = key.limits.requests_per_minute
        if limit is None:
            return
        wait = account.requests.wait(1, limit, now) or self._wait_for_known(key, now)
        if wait:
            raise _exceeded(key, f"{limit} requests a minute", wait)
        account.requests.spend(1, now)

    def _wait_for_known(self, key: Key, now: float) -> float:
        """The seconds until all that this key may have used unknown is over."""
        if self._unknown is None or key.created_at > self._unknown[1]:
            return 0
        return max(0.0, self._unknown[0] + SPAN_S - now)

    def _account(self, key_id: str) -> _Account:
        return self._accounts.setdefault(key_id, _Account())


def _window(past: list[tuple[float, int]], stopped: float) -> Window:
    return Window((stopped - max(0.0, float(ago)), int(amount)) for ago, amount in past)


def _exceeded(key: Key, what: str, wait_s: float) -> RateLimitExceeded:
    return RateLimitExceeded(f"The key `{key.name}` may have {what}", retry_after=math.ceil(wait_s))
