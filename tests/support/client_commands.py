"""The client's commands, as somebody types them: with and without a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "clients" / "python" / "src"
DEADLINE_S = 30
_COMMAND = [sys.executable, "-m", "ai_semble_client"]


@dataclass(frozen=True)
class Typist:
    """Types `ai-semble ...` against an environment, in a home that is empty."""

    url: str
    home: Path

    @property
    def variables(self) -> Mapping[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(SOURCE),
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "COLUMNS": "100",
            "AI_SEMBLE_URL": self.url,
        }

    def types(self, *words: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run it without a terminal, as a script does; `given` is its standard input."""
        return subprocess.run(
            [*_COMMAND, *words],
            input=given,
            env={**self.variables, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def at_a_terminal(self, *words: str, answers: Sequence[str] = (), prompt: str = "> ") -> str:
        """All that a terminal shows; each of `answers` is typed when the prompt is there."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [*_COMMAND, *words], env=dict(self.variables), stdin=theirs, stdout=theirs, stderr=theirs
        ) as process:
            os.close(theirs)
            try:
                shown, left = b"", list(answers)
                while piece := _read(ours):
                    shown += piece
                    if left and shown.endswith(prompt.encode()):
                        os.write(ours, left.pop(0).encode())
                process.wait(DEADLINE_S)
            finally:
                process.kill()
                os.close(ours)
        return shown.decode()


def _read(terminal: int) -> bytes:
    """What comes next; nothing at its end."""
    if not select.select([terminal], [], [], DEADLINE_S)[0]:
        raise TimeoutError("the terminal shows nothing more")
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""  # Linux says so when the other side is closed
