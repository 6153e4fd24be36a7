"""The log file of one service: bounded, cut between lines, and remembering the last error."""

from __future__ import annotations

from pathlib import Path

from ai_semble.loglines import error_in

_LONGEST_LINE = 64 * 1024


class LogFile:
    """`NAME.log`, and older parts as `NAME.log.1` (the newest) to `NAME.log.<keep>`.

    A full disk must not stop a service: what cannot be written is dropped.
    """

    def __init__(self, path: Path, max_bytes: int, keep: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._rest = b""
        self._last_line = b""
        self._last_error = ""

    @property
    def last_error(self) -> str:
        return self._last_error

    @property
    def last_words(self) -> str:
        """For a process that ended: its last error, otherwise what it said last, if not just a log line."""
        if self._last_error or self._last_line.startswith(b"{"):
            return self._last_error
        return self._last_line.decode("utf-8", "replace")[:300]

    def write(self, data: bytes) -> None:
        """Append what a service printed; a line that is not complete yet waits for its end."""
        lines, _, rest = (self._rest + data).rpartition(b"\n")
        if len(rest) > _LONGEST_LINE:
            lines, rest = (lines + b"\n" + rest if lines else rest), b""
        self._rest = rest
        if lines:
            self._note_errors(lines)
            self._append(lines + b"\n")

    def flush(self) -> None:
        """Write an unfinished last line too; the process has ended."""
        if self._rest:
            self.write(b"\n")

    def forget_errors(self) -> None:
        """The process starts anew: what it said before is history."""
        self._last_error, self._last_line = "", b""

    def _append(self, lines: bytes) -> None:
        try:
            with self._path.open("ab") as file:
                file.write(lines)
                size = file.tell()
            if size >= self._max_bytes:
                self._rotate()
        except OSError:
            return

    def _rotate(self) -> None:
        for number in range(self._keep, 1, -1):
            older = self._part(number - 1)
            if older.exists():
                older.replace(self._part(number))
        self._path.replace(self._part(1))

    def _part(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _note_errors(self, lines: bytes) -> None:
        for line in lines.split(b"\n"):
            if sentence := error_in(line):
                self._last_error = sentence
            self._last_line = line or self._last_line
