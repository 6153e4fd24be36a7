"""Keeps the services of one environment running until it is told to stop.

One asyncio loop without threads. A keeper a service starts its process, copies what it prints to its log,
asks it regularly whether it is alive, and plans the next start by the rules of `lifecycle`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ai_semble.embedded import http, lifecycle
from ai_semble.embedded.lifecycle import Life, Phase, Policy
from ai_semble.embedded.logfile import LogFile
from ai_semble.embedded.process import die_with_parent, signal_group
from ai_semble.embedded.state import ServiceState, SupervisorState

_CHUNK = 64 * 1024
_LAST_WORDS_S = 1.0


@dataclass(frozen=True)
class Program:
    """One service to keep: its command, and where it answers. The `door` is stopped before the others."""

    name: str
    command: Sequence[str]
    host: str
    port: int
    door: bool = False


@dataclass(frozen=True)
class Timing:
    """How often services are asked, how long an answer may take, and how long a stop may take. Seconds."""

    probe_interval_s: float = 2
    probe_timeout_s: float = 5
    stop_grace_s: float = 12


@dataclass(frozen=True)
class Care:
    """How all programs are treated, and the variables that their processes get."""

    variables: Mapping[str, str]
    policy: Policy = field(default_factory=Policy)
    timing: Timing = field(default_factory=Timing)


class Keeper:
    """Keeps one program running."""

    def __init__(self, program: Program, log: LogFile, care: Care, changed: Callable[[], None]) -> None:
        self.program = program
        self._life = Life()
        self._log = log
        self._variables = dict(care.variables)
        self._policy = care.policy
        self._timing = care.timing
        self._changed = changed
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._die_with_parent = die_with_parent()

    async def keep(self) -> None:
        """Start it, and start it again whenever it ends; returns after `stop`."""
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                wait = max(self._life.next_start - time.monotonic(), 0)
                await asyncio.wait_for(self._stopping.wait(), wait)
            if not self._stopping.is_set():
                await self._one_life()
        self._become(lifecycle.stopped(self._life))

    async def stop(self) -> None:
        """End the process: politely first, with everything that it started when the time is over."""
        self._stopping.set()
        pid = self._life.pid
        if pid is None or self._ended.is_set():
            return  # its number may be another process's by now
        signal_process(pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(self._ended.wait(), self._timing.stop_grace_s)
        except TimeoutError:
            signal_group(pid, signal.SIGKILL)

    def state(self, now: float, epoch: float) -> ServiceState:
        """The life with times of the wall clock; `now` and `epoch` are the same moment on the two clocks."""
        life, offset = self._life, epoch - now
        return ServiceState(
            phase=life.phase,
            pid=life.pid,
            port=self.program.port,
            started_at=life.since + offset if life.since else 0,
            restarts=life.restarts,
            quick_deaths=life.quick_deaths,
            is_failing=lifecycle.is_failing(life, self._policy),
            last_exit=life.last_exit,
            last_error=self._log.last_error if life.pid else self._log.last_words,
            next_start_at=life.next_start + offset if life.pid is None else 0,
        )

    async def _one_life(self) -> None:
        self._log.forget_errors()
        self._ended.clear()
        try:
            process = await self._spawn()
        except OSError as error:
            self._log.write(f"error: {self.program.command[0]}: {error.strerror}\n".encode())
            self._end(f"could not be started: {error.strerror}")
            return
        self._become(lifecycle.started(self._life, process.pid, time.monotonic()))
        if self._stopping.is_set():  # told while the process was being made
            signal_group(process.pid, signal.SIGKILL)
        copying = asyncio.create_task(self._copy(process))
        watching = asyncio.create_task(self._watch(process.pid))
        code = await process.wait()
        self._ended.set()
        watching.cancel()
        signal_group(process.pid, signal.SIGKILL)  # what it started does not stay behind
        await asyncio.wait([copying], timeout=_LAST_WORDS_S)
        copying.cancel()
        self._log.flush()
        hung = self._life.silence_s if lifecycle.is_hung(self._life, self._policy) else None
        self._end(lifecycle.describe_exit(code, hung))

    async def _spawn(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self.program.command,
            env=self._variables,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=self._die_with_parent,
        )

    async def _copy(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - asked for in _spawn
        while data := await process.stdout.read(_CHUNK):
            self._log.write(data)

    async def _watch(self, pid: int) -> None:
        program, timing = self.program, self._timing
        while True:
            asked = time.monotonic()
            answer = await http.get(program.host, program.port, "/health/live", timing.probe_timeout_s)
            if answer is not None:
                self._become(lifecycle.answered(self._life, time.monotonic(), self._policy))
            await asyncio.sleep(max(0.0, self._pace() - (time.monotonic() - asked)))
            if answer is None:
                waited = min(time.monotonic() - asked, timing.probe_timeout_s + timing.probe_interval_s)
                self._become(lifecycle.silent(self._life, waited))
            if lifecycle.is_hung(self._life, self._policy):
                signal_group(pid, signal.SIGKILL)

    def _pace(self) -> float:
        """Often while it starts, so that readiness is seen soon."""
        quick = self._life.phase is Phase.STARTING
        return min(0.25, self._timing.probe_interval_s) if quick else self._timing.probe_interval_s

    def _end(self, sentence: str) -> None:
        if self._stopping.is_set():
            return self._become(lifecycle.stopped(self._life))
        self._log.write(_obituary(self.program.name, sentence))
        return self._become(lifecycle.died(self._life, sentence, time.monotonic(), self._policy))

    def _become(self, life: Life) -> None:
        visible = (life.phase, life.pid, life.restarts)
        before = (self._life.phase, self._life.pid, self._life.restarts)
        self._life = life
        if visible != before:
            self._changed()


class Supervisor:
    """All keepers of one environment. `publish` is told of every change."""

    def __init__(
        self,
        environment: str,
        programs: Iterable[tuple[Program, LogFile]],
        care: Care,
        publish: Callable[[SupervisorState], None],
    ) -> None:
        self._environment = environment
        self._publish = publish
        self._started_at = time.time()
        self._keepers = [Keeper(program, log, care, self.tell) for program, log in programs]

    async def run(self, stop: asyncio.Event) -> None:
        """Keep everything running until `stop` is set, then end it: the door first, lest calls be cut."""
        tasks = [asyncio.create_task(keeper.keep()) for keeper in self._keepers]
        telling = asyncio.create_task(self._tell_regularly())
        await stop.wait()
        for door in (True, False):
            await asyncio.gather(*(k.stop() for k in self._keepers if k.program.door is door))
        await asyncio.gather(*tasks)
        telling.cancel()
        self.tell()

    def tell(self) -> None:
        now, epoch = time.monotonic(), time.time()
        services = {keeper.program.name: keeper.state(now, epoch) for keeper in self._keepers}
        self._publish(
            SupervisorState(
                pid=os.getpid(),
                environment=self._environment,
                started_at=self._started_at,
                services=services,
            )
        )

    async def _tell_regularly(self) -> None:
        """Errors in a log change no phase, yet a reader wants to see them."""
        while True:
            await asyncio.sleep(5)
            self.tell()


def signal_process(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _obituary(service: str, sentence: str) -> bytes:
    """The line that says in a service's own log how it ended, since it could not say so itself."""
    line = {
        "time": datetime.now(UTC).isoformat(),
        "level": "WARNING",
        "service": service,
        "action": "service_ended",
        "reason": sentence,
    }
    return json.dumps(line).encode() + b"\n"
