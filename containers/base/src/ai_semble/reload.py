"""Runs a service again whenever its source changes. For development only."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

_PACKAGES = ("ai_semble", "orchestrator", "ai_services", "data_processor")
_LOOK_EVERY_S = 0.5
_STOP_WITHIN_S = 15


def run_and_reload(service: str) -> None:
    """Until SIGTERM or SIGINT. A service that ends by itself is started again at the next change."""
    folders = tuple(source_folders())

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while True:
        process = subprocess.Popen([sys.executable, "-m", "ai_semble.cli", "serve", service])  # noqa: S603 - our own command
        try:
            wait_for_change(folders)
        finally:
            _end(process)


def source_folders() -> Iterable[Path]:
    """Where the packages that are installed here have their source."""
    for package in _PACKAGES:
        if (spec := find_spec(package)) and spec.submodule_search_locations:
            yield Path(spec.submodule_search_locations[0])


def wait_for_change(folders: Iterable[Path], sleep: Callable[[float], None] = time.sleep) -> None:
    """Returns when a file was written, added or removed.

    It looks at times, since notifications do not cross every kind of mount.
    """
    folders = tuple(folders)
    before = _times(folders)
    while _times(folders) == before:
        sleep(_LOOK_EVERY_S)


def _times(folders: Iterable[Path]) -> dict[Path, int]:
    found = {}
    for folder in folders:
        for file in folder.rglob("*"):
            if file.suffix in {".py", ".sql", ".toml"}:
                try:
                    found[file] = file.stat().st_mtime_ns
                except FileNotFoundError:  # an editor replaces files
                    continue
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
