"""One line of a service's log: what it says, how people read it, and which error it tells of."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.text import Text

_LEVEL_STYLES = {
    "DEBUG": "dim",
    "INFO": "green",
    "WARNING": "yellow",
    "ERROR": "bold red",
    "CRITICAL": "bold red",
}
_BAD_LEVELS = ("ERROR", "CRITICAL")
_ECHO = "Application startup failed. Exiting."  # uvicorn's, after it has told why
_BAD_WORDS = re.compile(r"error|exception|fatal|abort|terminate|cannot|no such", re.IGNORECASE)
_SHOWN_APART = {"time", "level", "service", "action", "module"}


@dataclass(frozen=True)
class Line:
    """One line of one service's log; `event` is empty for what is not JSON."""

    service: str
    raw: str
    event: Mapping[str, Any]

    @classmethod
    def parse(cls, service: str, raw: str) -> Line:
        try:
            event = json.loads(raw)
        except ValueError:
            event = {}
        return cls(service, raw, event if isinstance(event, dict) else {})

    @property
    def time(self) -> str:
        return str(self.event.get("time") or "")


def rendered(line: Line) -> Text:
    """A line for people: local time, service, level, action, and the rest as key=value."""
    event = line.event
    if not event:
        return Text.assemble(("         ", ""), (f"{line.service:<15}", "cyan"), line.raw)
    level = str(event.get("level") or "")
    text = Text.assemble(
        (f"{_local(line.time):<9}", "dim"),
        (f"{line.service:<15}", "cyan"),
        (f"{level:<8}", _LEVEL_STYLES.get(level, "")),
        (str(event.get("action") or ""), "bold"),
    )
    for key, value in event.items():
        if key not in _SHOWN_APART and key != "exception":
            text.append(f" {key}=", "dim").append(_short(value))
    if exception := event.get("exception"):
        text.append(f"\n{exception}", "red")
    return text


def _local(stamp: str) -> str:
    try:
        return datetime.fromisoformat(stamp).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return stamp


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def error_in(line: bytes) -> str:
    """The error that a log line tells of, in short; empty when it tells of none.

    A line that is not JSON comes from native code or from a crash, whose last line is the exception's.
    """
    text = line.decode("utf-8", "replace").rstrip()
    if not text or text[0] in " \t^":
        return ""
    try:
        event = json.loads(text)
    except ValueError:
        return text[:300] if _BAD_WORDS.search(text) else ""
    if not isinstance(event, dict) or event.get("level") not in _BAD_LEVELS:
        return ""
    if event.get("action") == _ECHO:
        return ""
    told = event.get("error") or event.get("reason") or event.get("detail") or event.get("exception")
    return ": ".join(_last_line(part) for part in (event.get("action"), told) if part)[:300]


def _last_line(text: object) -> str:
    """Of a traceback, the exception."""
    return str(text).strip().rpartition("\n")[2]
