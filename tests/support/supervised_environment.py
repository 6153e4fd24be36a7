"""`ai-semble embedded` with fake services: command and supervisor are real, `ai-semble serve` is not.

The supervisor starts the `ai-semble` that lies beside its interpreter. So a folder is made with a link to the
real interpreter and, as `ai-semble`, a script that runs the fake service for `serve`, else the real command.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ai_semble.embedded.process import marked
from ai_semble.topology import SERVICES
from tests.support.serving import free_port
from tests.support.worlds import private_variables

FAKE = Path(__file__).with_name("supervised_service.py")
CHECKOUT = Path(__file__).parents[2]
DEADLINE_S = 30
SCRIPT = """#!{python}
import runpy, sys
if sys.argv[1:2] == ["serve"]:
    sys.argv[0] = {fake!r}
    runpy.run_path({fake!r}, run_name="__main__")
else:
    from ai_semble.cli import main
    main()
"""


@dataclass(frozen=True)
class FakeEnvironment:
    """A private environment of fake services on free ports."""

    folder: Path
    ports: dict[str, int]
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def program(self) -> Path:
        return self.folder / "bin" / "ai-semble"

    @property
    def state_dir(self) -> Path:
        return self.folder / "state" / "ai-semble" / "default"

    @property
    def log_dir(self) -> Path:
        return self.state_dir / "logs"

    def command(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `ai-semble embedded ...`."""
        return subprocess.run(
            [self.program, "embedded", *words],
            env={**self.variables, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """The same, in the background."""
        return subprocess.Popen(
            [self.program, "embedded", *words],
            env={**self.variables, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.command("status", "--json").stdout)
        return document

    def service(self, name: str) -> dict[str, Any]:
        service: dict[str, Any] = self.status()["services"][name]
        return service

    def ask(self, name: str, path: str, timeout_s: float = 5) -> dict[str, Any]:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.ports[name]}{path}", timeout=timeout_s
        ) as answer:
            document: dict[str, Any] = json.load(answer)
            return document

    def processes(self) -> list[int]:
        """Every process of this environment, the supervisor's apart."""
        return list(marked(self.state_dir))


@contextmanager
def fake_environment(folder: Path, **variables: str) -> Iterator[FakeEnvironment]:
    """An environment that is not started yet; nothing of it runs after the end."""
    ports = {name: free_port() for name in SERVICES}
    own = {
        **private_variables(folder, folder / "models", ports, "http://127.0.0.1:9"),
        "PYTHONPATH": os.pathsep.join([sysconfig.get_path("purelib"), *source_folders()]),
        "AI_SEMBLE_SERVER__SHUTDOWN_GRACE_S": "1",
        **variables,
    }
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(Path(sys.executable))
    made = FakeEnvironment(folder, ports, own)
    made.program.write_text(SCRIPT.format(python=folder / "bin" / "python", fake=str(FAKE)), encoding="utf-8")
    made.program.chmod(0o755)
    try:
        yield made
    finally:
        made.command("down")


def source_folders() -> list[str]:
    return [str(path) for path in sorted(CHECKOUT.glob("containers/*/src"))]


def eventually(condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """The first true value of the condition; fails when the deadline passes."""
    deadline = time.monotonic() + deadline_s
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that only waits to be reaped has."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
