"""How one service lives under the supervisor: every transition, and nothing that touches the world.

    BACKING_OFF --started--> STARTING --answered--> RUNNING
         ^                      |                      |
         +-------- died --------+---------- died ------+
    any --stopped--> STOPPED

Too many quick deaths in a row make it FAILING instead of BACKING_OFF. It is tried again for ever, more and
more slowly; one that lived long enough starts anew.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace
from enum import StrEnum


class Phase(StrEnum):
    """Where a service is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing_off"
    FAILING = "failing"
    STOPPED = "stopped"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Phase.STARTING: "The process runs and has not answered yet.",
    Phase.RUNNING: "The process answers.",
    Phase.BACKING_OFF: "It ended and will be started again.",
    Phase.FAILING: "It ended again and again; it is still being tried.",
    Phase.STOPPED: "It was told to stop.",
}


@dataclass(frozen=True)
class Policy:
    """How patient the supervisor is. All times in seconds."""

    first_delay_s: float = 0.5
    longest_delay_s: float = 30
    stable_after_s: float = 60
    failing_after: int = 5
    hung_after_s: float = 60
    start_limit_s: float = 300

    def delay(self, quick_deaths: int) -> float:
        """The wait before the next start, doubled with each quick death."""
        doublings = min(max(quick_deaths - 1, 0), 20)
        return min(self.first_delay_s * 2.0**doublings, self.longest_delay_s)


@dataclass(frozen=True)
class Life:
    """One service as the supervisor knows it. Times are seconds of the supervisor's monotonic clock."""

    phase: Phase = Phase.BACKING_OFF
    pid: int | None = None
    since: float = 0
    next_start: float = 0
    restarts: int = 0
    quick_deaths: int = 0
    silence_s: float = 0
    last_exit: str = ""


def started(life: Life, pid: int, now: float) -> Life:
    """A process was made."""
    return replace(life, phase=Phase.STARTING, pid=pid, since=now, silence_s=0)


def answered(life: Life, now: float, policy: Policy) -> Life:
    """It answered a probe; after a long enough life its early deaths are forgiven."""
    forgiven = now - life.since >= policy.stable_after_s
    return replace(life, phase=Phase.RUNNING, silence_s=0, quick_deaths=0 if forgiven else life.quick_deaths)


def silent(life: Life, seconds: float) -> Life:
    """It left a probe unanswered for this long. Only probes count, so a suspended machine harms nobody."""
    return replace(life, silence_s=life.silence_s + seconds)


def is_failing(life: Life, policy: Policy) -> bool:
    """Whether it keeps dying, also while it is being tried once more."""
    return life.quick_deaths >= policy.failing_after


def is_hung(life: Life, policy: Policy) -> bool:
    """Whether it has been silent for longer than a healthy service ever is."""
    match life.phase:
        case Phase.RUNNING:
            return life.silence_s >= policy.hung_after_s
        case Phase.STARTING:
            return life.silence_s >= policy.start_limit_s
        case _:
            return False


def died(life: Life, exit_sentence: str, now: float, policy: Policy) -> Life:
    """The process ended by itself or was killed for hanging; the next start is planned."""
    quick = life.quick_deaths + 1 if now - life.since < policy.stable_after_s else 1
    ended = replace(
        life,
        pid=None,
        next_start=now + policy.delay(quick),
        restarts=life.restarts + 1,
        quick_deaths=quick,
        last_exit=exit_sentence,
    )
    return replace(ended, phase=Phase.FAILING if is_failing(ended, policy) else Phase.BACKING_OFF)


def stopped(life: Life) -> Life:
    """It ended because it was told to."""
    return replace(life, phase=Phase.STOPPED, pid=None)


def describe_exit(returncode: int, hung_for_s: float | None = None) -> str:
    """An exit status in words; `returncode` as subprocess gives it, negative for a signal."""
    if hung_for_s is not None:
        return f"killed after {hung_for_s:.0f} s without an answer"
    if returncode >= 0:
        return f"ended with exit status {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"killed by {name}" + (" (by hand, or the machine ran out of memory)" if name == "SIGKILL" else "")
