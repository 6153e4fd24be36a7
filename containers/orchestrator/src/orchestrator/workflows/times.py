"""When a schedule is due: cron, in a time zone, over the nights when clocks change. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, croniter
from croniter.croniter import CroniterError

from ai_semble.schemas.schedules import CatchUp

# What is older than this was missed, and not merely late.
LATE_S = 60.0
MOST_AT_ONCE = 100
_SPAN_S = 3600.0
_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
_FIELD = re.compile(
    r"(?:[0-9*/,\-]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)+",
    re.IGNORECASE,
)


class WrongTimes(Exception):
    """The cron expression or the time zone cannot be used."""


class Times:
    """The moments of a cron expression in a time zone. Raises WrongTimes.

    A time that a night skips is due when the clocks have moved on; one that a night has twice is due once, unless the
    expression is for every hour.
    """

    def __init__(self, cron: str, timezone: str) -> None:
        words = _NAMED.get(cron.strip().lower(), cron).split()
        if len(words) != 5:
            raise WrongTimes(f"`{cron}` has not five parts: minute, hour, day, month, weekday")
        if not all(map(_FIELD.fullmatch, words)):
            raise WrongTimes(f"`{cron}` has a part that is no number, range, step or name")
        self._cron = " ".join(words)
        self._zone = _zone(timezone)
        self._every_hour = words[1].startswith("*")
        try:
            self.after(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
        except CroniterBadDateError as error:
            raise WrongTimes(f"`{cron}` is on no day of any year") from error
        except (CroniterError, ValueError, KeyError) as error:
            raise WrongTimes(f"`{cron}` is not cron: {error}") from error

    def after(self, moment: float) -> float:
        """The first one after a moment; both in seconds since 1970."""
        return next(self.following(moment))

    def following(self, moment: float) -> Iterator[float]:
        """All after a moment, in order."""
        found = croniter(self._cron, datetime.fromtimestamp(moment, self._zone))
        last = moment
        while True:
            due: datetime = found.get_next(datetime)
            seconds = due.timestamp()
            if seconds <= last or (due.fold and not self._every_hour):
                continue
            last = seconds
            yield seconds


def due(times: Times, first: float, now: float, catch_up: CatchUp) -> tuple[list[float], float]:
    """The moments to run for, of those from `first`, which is one, to `now`; and the next one after them."""
    if first > now:
        return [], first
    moments = _newest(times, first, now, MOST_AT_ONCE if catch_up is CatchUp.ALL else 1)
    if catch_up is CatchUp.NONE:
        moments = [moment for moment in moments if now - moment <= LATE_S]
    return moments, times.after(now)


def _newest(times: Times, first: float, now: float, most: int) -> list[float]:
    """The last moments up to now, without going through all of them: years may have passed."""
    span = _SPAN_S
    while True:
        start = max(first, now - span)
        found = [first] if start == first else []
        for moment in times.following(start):
            if moment > now:
                break
            found.append(moment)
        if start == first or len(found) >= most:
            return found[-most:]
        span *= 8


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise WrongTimes(f"There is no time zone `{name}`; write one as `Asia/Tokyo`") from error
