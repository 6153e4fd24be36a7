"""Tells whoever sends wrong keys to stop, and for how long. Pure: the time is given.

It changes the answer to a wrong key alone: 429 with `Retry-After` instead of 401. Every key is compared all the same,
and a right one always gets in, since an attacker at the same address (in a pod all callers of one host share it) could
lock it out otherwise. What keeps guesses out are the 256 random bits of a key. This makes a program with an old key
stop, and guessing stand out in the log and the metrics.

Wrong keys are counted by address and claimed id, beside a wider count of the address alone, against one that names
another id each time. Only so many counts are kept: thousands of made-up ids push out older ones, which then begin anew.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

FREE_FOR_A_KEY, FREE_FOR_AN_ADDRESS = 5, 50
LONGEST_S = 300.0
FORGET_AFTER_S = 900.0
MOST_REMEMBERED = 4096


@dataclass(slots=True)
class _Strikes:
    count: int
    last: float
    until: float


class Lockout:
    """`wrong` and `right` are told of every key; memory is bounded, the longest quiet is forgotten first."""

    def __init__(self) -> None:
        self._strikes: OrderedDict[tuple[str, str | None], _Strikes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._strikes)

    def wrong(self, address: str, claimed: str | None, now: float) -> float:
        """Note a wrong key; the seconds that its sender is asked to stay away, 0 while it may try again.

        Twice as long after each try that was allowed. A try meanwhile is not counted.
        """
        place = network_of(address)
        of_key = self._strike((place, claimed or ""), FREE_FOR_A_KEY, now)
        return max(of_key, self._strike((place, None), FREE_FOR_AN_ADDRESS, now))

    def right(self, address: str, key_id: str) -> None:
        """Whoever holds the key now is no guesser of it."""
        if self._strikes:
            self._strikes.pop((network_of(address), key_id), None)

    def _strike(self, who: tuple[str, str | None], free: int, now: float) -> float:
        strikes = self._strikes.get(who)
        if strikes is None or now - strikes.last > FORGET_AFTER_S:
            strikes = self._strikes[who] = _Strikes(0, now, now)
        self._strikes.move_to_end(who)
        if now < strikes.until:
            return strikes.until - now
        strikes.count += 1
        strikes.last = now
        while len(self._strikes) > MOST_REMEMBERED:
            self._strikes.popitem(last=False)
        over = strikes.count - free
        if over <= 0:
            return 0
        length = min(LONGEST_S, 2.0 ** min(over, 16))
        strikes.until = now + length
        return length


def network_of(address: str) -> str:
    """The address, or the /64 of one by IPv6, since a single machine has all of that."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
