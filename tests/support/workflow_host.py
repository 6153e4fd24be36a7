"""The whole orchestrator in a process that can be killed: before any of the writes of its workflows."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from ai_semble.loading import load_config
from orchestrator.app import create_app
from orchestrator.jobs.database import Database
from tests.support.job_host import job_runtime, serve


def run_host(port: int, variables: Mapping[str, str], log: str, dies_at: str = "") -> None:
    """Serve until it is stopped, or about to write for the so-manieth time."""

    def make() -> FastAPI:
        if dies_at:
            _die_at_write(int(dies_at))
        return create_app(job_runtime(load_config()))

    serve(port, variables, log, make)


def _die_at_write(number: int) -> None:
    left = number
    write = Database.write

    async def counted(self: Database, *args: Any, **settings: Any) -> Any:
        nonlocal left
        if self._path.name == "workflows.sqlite":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return await write(self, *args, **settings)

    Database.write = counted  # type: ignore[method-assign]
