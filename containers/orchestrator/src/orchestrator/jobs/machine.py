"""The states of a job and the moves between them, in one table."""

from __future__ import annotations

from collections.abc import Mapping

from ai_semble.schemas.jobs import JobState

_S = JobState

MOVES: Mapping[JobState, frozenset[JobState]] = {
    # Straight to `failed`: it was broken off so often that it is not started again.
    _S.QUEUED: frozenset({_S.RUNNING, _S.CANCELLED}),
    # To itself: a new attempt after a crash. To `queued`: the orchestrator is stopping.
    _S.RUNNING: frozenset({_S.RUNNING, _S.QUEUED, _S.WAITING, _S.CANCELLING, _S.SUCCEEDED, _S.FAILED}),
    _S.WAITING: frozenset({_S.RUNNING, _S.CANCELLED}),
    _S.CANCELLING: frozenset({_S.CANCELLED}),
    _S.SUCCEEDED: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
}


def sources(target: JobState) -> tuple[JobState, ...]:
    """The states from which a job may move to this one."""
    return tuple(state for state, targets in MOVES.items() if target in targets)


ENDED = tuple(state for state, targets in MOVES.items() if not targets)
PENDING = (_S.QUEUED, _S.WAITING)
