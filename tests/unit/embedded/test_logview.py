"""Logs for people."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from ai_semble.embedded.logfile import LogFile
from ai_semble.embedded.logview import Follower, last_lines
from ai_semble.loglines import Line, rendered


def line(second: int, action: str) -> bytes:
    event = {"time": f"2026-01-01T00:00:{second:02}Z", "level": "INFO", "service": "x", "action": action}
    return json.dumps(event).encode() + b"\n"


def test_the_last_lines_of_all_services_come_in_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "llm.log").write_bytes(line(1, "a") + line(3, "c") + b"Traceback\n" + line(5, "e"))
    (tmp_path / "nlp.log").write_bytes(line(2, "b") + line(4, "d"))
    found = last_lines(tmp_path, ["llm", "nlp", "vision"], 5)
    assert [entry.event.get("action", entry.raw) for entry in found] == ["b", "c", "Traceback", "d", "e"]


def test_old_lines_reach_into_the_part_before(tmp_path: Path) -> None:
    (tmp_path / "llm.log.1").write_bytes(line(1, "a"))
    (tmp_path / "llm.log").write_bytes(line(2, "b"))
    assert len(last_lines(tmp_path, ["llm"], 10)) == 2
    assert last_lines(tmp_path, ["llm"], 0) == []


def test_following_goes_on_across_a_rotation(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "llm.log", max_bytes=300, keep=3)
    log.write(line(0, "before"))
    seen = []
    with closing(Follower(tmp_path, "llm")) as follower:
        for second in range(1, 12):
            log.write(line(second, f"n{second}"))
            seen += [entry.event["action"] for entry in follower.new_lines()]
    assert seen == [f"n{second}" for second in range(1, 12)]
    assert (tmp_path / "llm.log.1").exists()


def test_following_waits_for_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    with closing(Follower(tmp_path, "llm")) as follower:
        assert list(follower.new_lines()) == []
        (tmp_path / "llm.log").write_bytes(line(1, "first"))
        assert [entry.event["action"] for entry in follower.new_lines()] == ["first"]


def test_a_line_is_rendered_for_people() -> None:
    raw = (
        '{"time": "x", "level": "ERROR", "service": "llm", "action": "load_failed", "ms": 12, "module": "m"}'
    )
    text = rendered(Line.parse("llm", raw)).plain
    assert text.split() == ["x", "llm", "ERROR", "load_failed", "ms=12"]


def test_a_line_that_is_not_json_is_shown_as_it_is() -> None:
    assert rendered(Line.parse("llm", "[1, 2]")).plain.split(maxsplit=1) == ["llm", "[1, 2]"]


def test_a_traceback_is_shown_below_its_line() -> None:
    raw = json.dumps({"level": "ERROR", "action": "x", "exception": "Traceback\nKeyError"})
    assert rendered(Line.parse("llm", raw)).plain.endswith("\nTraceback\nKeyError")
