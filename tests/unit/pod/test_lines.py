"""Lines out of the journal, and those that somebody looks for."""

from __future__ import annotations

import json

import pytest

from ai_semble.pod.lines import Wanted, newest, read


def entry(level: str, action: str, request: str = "") -> str:
    event = {"level": level, "action": action, "request_id": request}
    return json.dumps({"CONTAINER_NAME": "ai-semble-dev-llm", "MESSAGE": json.dumps(event) + "\n"}) + "\n"


RAW = json.dumps({"CONTAINER_NAME": "ai-semble-dev-llm", "MESSAGE": "Segmentation fault"}) + "\n"
JOURNAL = [entry("INFO", "request", "a"), entry("ERROR", "failed", "a"), entry("DEBUG", "request", "b"), RAW]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), ["request", "failed", "request", None]),
        (Wanted(request="a"), ["request", "failed"]),
        (Wanted(action="request"), ["request", "request"]),
        (Wanted(level="warning"), ["failed", None]),
        (Wanted(request="b", level="info"), []),
    ],
)
def test_only_what_is_wanted_is_read(wanted: Wanted, found: list[str | None]) -> None:
    lines = list(read(JOURNAL, "ai-semble-dev", wanted))
    assert [line.event.get("action") for line in lines] == found
    assert {line.service for line in lines} <= {"llm"}


def test_the_newest_lines_are_the_last() -> None:
    lines = list(read(JOURNAL, "ai-semble-dev", Wanted()))
    assert list(newest(lines, 1)) == lines[-1:]
    assert list(newest(lines, -1)) == lines
