"""Times as they are typed: `30d`, `12h`, `2027-01-31`. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_SPAN = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def seconds_of(span: str) -> int:
    """Raises ValueError."""
    found = _SPAN.fullmatch(span)
    if found is None:
        raise ValueError(f"`{span}` is no span of time; write 90s, 30m, 12h, 30d or 4w")
    return int(found[1]) * _UNITS[found[2]]


def moment_of(text: str, now: float) -> float:
    """When a key expires: so long after now, or the beginning of a day in UTC. Raises ValueError."""
    if _SPAN.fullmatch(text):
        moment = now + seconds_of(text)
    else:
        try:
            parsed = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"`{text}` is neither a span as 30d nor a date as 2027-01-31") from None
        moment = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    if moment <= now:
        raise ValueError(f"`{text}` is over already")
    return moment


def shown(moment: float | None) -> str:
    """As `2027-01-31 12:00` in UTC; `never` without one."""
    return "never" if moment is None else f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}"
