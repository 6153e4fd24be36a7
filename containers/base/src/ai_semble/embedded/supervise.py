"""The supervisor's own process: from the configuration to running services."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ai_semble.config import Config
from ai_semble.embedded.errors import StartFailed
from ai_semble.embedded.lifecycle import Policy
from ai_semble.embedded.lock import SupervisorLock
from ai_semble.embedded.logfile import LogFile
from ai_semble.embedded.openmp import with_openmp
from ai_semble.embedded.process import child_variables, cores
from ai_semble.embedded.state import write_state
from ai_semble.embedded.supervisor import Care, Program, Supervisor, Timing
from ai_semble.listening import address_of
from ai_semble.paths import Paths
from ai_semble.topology import ORCHESTRATOR, SERVICES

LOCK_FILE = "supervisor.lock"
STATE_FILE = "supervisor.json"


def lock_of(paths: Paths) -> SupervisorLock:
    return SupervisorLock(paths.run_dir / LOCK_FILE)


def state_file(paths: Paths) -> Path:
    return paths.run_dir / STATE_FILE


def supervise(config: Config) -> None:
    """Run the environment in this process; returns after SIGTERM or SIGINT when every service has ended."""
    paths = config.paths()
    paths.make()
    lock = lock_of(paths)
    if not lock.acquire():
        raise StartFailed(
            f"A supervisor of the environment {config.environment.name} runs already",
            hint="Nothing needs to be done: ./scripts/deploy.sh status",
        )
    asyncio.run(_run(config, paths))


async def _run(config: Config, paths: Paths) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    settings = config.embedded
    logged = [
        (program, LogFile(paths.log_dir / f"{program.name}.log", settings.log_max_bytes, settings.log_parts))
        for program in programs(config)
    ]
    publish = partial(write_state, state_file(paths))
    supervisor = Supervisor(config.environment.name, logged, care(config, paths), publish)
    await supervisor.run(stop)


def care(config: Config, paths: Paths) -> Care:
    """How the configuration wants services to be treated."""
    settings = config.embedded
    return Care(
        variables=child_variables(
            with_openmp(os.environ, paths.run_dir / "lib"),
            paths.state_dir,
            config.resources.threads or cores(),
        ),
        policy=Policy(
            failing_after=settings.failing_after,
            hung_after_s=settings.hung_after_s,
            start_limit_s=settings.start_limit_s,
            longest_delay_s=settings.longest_delay_s,
        ),
        # A service takes up to its own grace for running requests, and a moment to close its engines.
        timing=Timing(stop_grace_s=config.server.shutdown_grace_s + 2),
    )


def programs(config: Config) -> Iterator[Program]:
    """The services, each as the command that a person could type."""
    command = Path(sys.executable).with_name("ai-semble")
    for name in SERVICES:
        yield Program(
            name=name,
            command=(str(command), "serve", name),
            host=address_of(config, name),
            port=config.port_of(name),
            door=name == ORCHESTRATOR.name,
        )
