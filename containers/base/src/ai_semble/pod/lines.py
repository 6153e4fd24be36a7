"""The services' log lines out of the journal, all or those that somebody looks for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ai_semble.loglines import Line
from ai_semble.pod.facts import messages

LEVELS = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True)
class Wanted:
    """Which lines are shown; what is empty excludes nothing."""

    request: str = ""
    action: str = ""
    level: str = ""

    def matches(self, line: Line) -> bool:
        event = line.event
        if self.request and event.get("request_id") != self.request:
            return False
        if self.action and event.get("action") != self.action:
            return False
        return not self.level or _rank(str(event.get("level") or "")) >= _rank(self.level)


def _rank(level: str) -> int:
    """A line without a level comes from native code or a crash; it is shown with the errors."""
    return LEVELS.index(level.lower()) if level.lower() in LEVELS else len(LEVELS)


def read(journal: Iterable[str], prefix: str, wanted: Wanted) -> Iterator[Line]:
    """The lines that are wanted, in the journal's order."""
    for container, text in messages(journal):
        line = Line.parse(container.removeprefix(f"{prefix}-"), text)
        if wanted.matches(line):
            yield line


def newest(lines: Iterable[Line], count: int) -> Iterable[Line]:
    """The last ones; all when `count` is negative."""
    return lines if count < 0 else deque(lines, maxlen=count)
