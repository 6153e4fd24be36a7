"""Log files stay bounded and remember the last error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ai_semble.embedded.logfile import LogFile
from ai_semble.loglines import error_in


def test_a_line_is_never_cut(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log", max_bytes=50, keep=3)
    text = "".join(f"line {number:03}\n" for number in range(20)).encode()
    for start in range(0, len(text), 7):
        log.write(text[start : start + 7])
    log.flush()
    kept = [path.read_text() for path in sorted(tmp_path.iterdir(), reverse=True)]
    assert len(kept) <= 4
    assert all(part.endswith("\n") for part in kept)
    lines = "".join(kept).splitlines()
    assert lines == [f"line {number:03}" for number in range(20)][-len(lines) :]


def test_only_so_many_parts_are_kept(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log", max_bytes=10, keep=2)
    for number in range(9):
        log.write(f"number {number}\n".encode() * 2)
    assert {path.name for path in tmp_path.iterdir()} <= {"x.log", "x.log.1", "x.log.2"}
    assert "number 8" in (tmp_path / "x.log.1").read_text()


def test_an_unfinished_last_line_is_written_at_the_end(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log", 1000, 1)
    log.write(b"Segmentation fault")
    log.flush()
    assert (tmp_path / "x.log").read_bytes() == b"Segmentation fault\n"


def test_endless_output_without_line_ends_is_bounded(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log", 10**6, 1)
    log.write(b"x" * 200_000)
    assert (tmp_path / "x.log").stat().st_size == 200_001


def test_a_full_disk_does_not_stop_the_service(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "gone" / "x.log", 1000, 1)
    log.write(b"error: nobody keeps this\n")
    assert log.last_error == "error: nobody keeps this"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ({"level": "INFO", "action": "request", "error": "x"}, ""),
        ({"level": "ERROR", "action": "load_failed", "error": "no file"}, "load_failed: no file"),
        (
            {"level": "ERROR", "action": "bad", "exception": "Traceback:\n  a\nKeyError: 'x'"},
            "bad: KeyError: 'x'",
        ),
        ({"level": "ERROR", "action": "alone"}, "alone"),
        ({"level": "ERROR", "action": "Traceback:\n  a\nOSError: full\n"}, "OSError: full"),
        ({"level": "ERROR", "action": "Application startup failed. Exiting."}, ""),
    ],
)
def test_errors_in_json_lines_are_found(line: dict[str, str], sentence: str) -> None:
    assert error_in(json.dumps(line).encode()) == sentence


def test_errors_of_a_crash_are_found() -> None:
    lines = [
        b"Traceback (most recent call last):",
        b'  File "x.py", line 1',
        b"RuntimeError: there is no model",
    ]
    assert [error_in(line) for line in lines][-1] == "RuntimeError: there is no model"
    assert error_in(b"llama_model_loader: loaded 272 tensors") == ""


def test_what_was_said_last_stands_in_when_no_error_was(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log", 1000, 1)
    log.write(b"going home\n")
    assert (log.last_error, log.last_words) == ("", "going home")
    log.forget_errors()
    assert log.last_words == ""
