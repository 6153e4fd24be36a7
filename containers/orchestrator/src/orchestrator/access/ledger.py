"""Keeps the budgets over a restart: what was spent stays spent.

While the orchestrator runs, the file says so; when it stops, the file says what still counts. An orchestrator that
finds the first has crashed and does not know what was spent last: then all of it was. That costs the limited keys a
minute after a crash, and the disk nothing for each request.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import orjson

from ai_semble.logs import get_logger
from orchestrator.access.budgets import Budgets

log = get_logger(__name__)
_RUNNING = {"running": True}


class Ledger:
    """The file `budgets.json`; both calls block."""

    def __init__(self, path: Path, budgets: Budgets) -> None:
        self._path = path
        self._budgets = budgets

    def open(self) -> None:
        """Go on from where the last orchestrator stopped. Raises OSError."""
        try:
            self._budgets.restore(orjson.loads(self._path.read_bytes()))
        except FileNotFoundError:
            pass  # the first start
        except (KeyError, TypeError, ValueError, AttributeError):
            log.warning("budgets_unknown", reason="the last orchestrator did not stop by itself")
            self._budgets.assume_all_spent()
        self._write(orjson.dumps(_RUNNING))

    def close(self) -> None:
        """Write down what still counts. A disk that is full makes it a crash for the next start."""
        with suppress(OSError):
            self._write(orjson.dumps(self._budgets.document()))

    def _write(self, content: bytes) -> None:
        draft = self._path.with_name(f"{self._path.name}.new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
