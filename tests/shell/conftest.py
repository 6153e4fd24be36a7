"""Scripts run with a private home and a PATH that holds the basics and what a test puts there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
BASICS = (
    "awk", "bash", "basename", "cat", "cmp", "curl", "cut", "date", "df", "dirname", "env", "flock", "grep",
    "head", "id", "ls", "mkdir", "mktemp", "mv", "rm", "rmdir", "sed", "sort", "tail", "touch", "tr", "true", "uname",
)  # fmt: skip
ECHO = '#!/bin/sh\necho "{name} $*"\n'


@dataclass
class Shell:
    """A user's shell: `home`, a folder of commands, and variables."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def venv(self) -> Path:
        return self.folder / "data" / "ai-semble" / "embedded" / "venv"

    def stub(self, name: str, script: str = "") -> None:
        """Put a command on the PATH; without a script it prints how it was called."""
        self._write(self.bin / name, script or ECHO.format(name=name))

    def install_embedded(self, running: bool = False) -> None:
        """Pretend that the embedded environment is there: its command prints how it was called."""
        script = f'#!/bin/sh\n[ "$2" = running ] && exit {int(not running)}\necho "ai-semble $*"\n'
        self._write(self.venv / "bin" / "ai-semble", script)
        self._write(self.venv / "bin" / "python", ECHO.format(name="python"))

    def run(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(CHECKOUT / "scripts" / script), *words],
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def bash(self, lines: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Lines of bash, which have to end well; `words` are their $1 and so on."""
        return subprocess.run(
            ["bash", "-c", lines, "-", *words],
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

    def _write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The basics are links; written through, a stub would take the place of this machine's own program.
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path)
    made.variables = {
        "PATH": str(made.bin),
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "LANG": "C.UTF-8",
        "PIP_CONFIG_FILE": os.devnull,
    }
    made.bin.mkdir()
    for name in BASICS:
        if found := shutil.which(name):
            (made.bin / name).symlink_to(found)
    (made.bin / "python3").symlink_to(sys.executable)
    return made
