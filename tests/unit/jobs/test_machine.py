"""The states, the reasons and the moves, apart from any database."""

from __future__ import annotations

import pytest

from ai_semble.schemas.jobs import JobReason, JobState
from orchestrator.jobs.machine import ENDED, MOVES, PENDING, sources


def test_every_state_has_its_moves_and_the_final_ones_have_none() -> None:
    assert set(MOVES) == set(JobState)
    assert set(ENDED) == {state for state in JobState if state.ended}
    assert all(not MOVES[state] for state in ENDED)


def test_every_state_can_come_to_an_end() -> None:
    def reachable(state: JobState) -> set[JobState]:
        seen = {state}
        while new := {target for each in seen for target in MOVES[each]} - seen:
            seen |= new
        return seen

    for state in JobState:
        assert reachable(state) & set(ENDED), state


def test_a_job_that_does_not_run_is_cancelled_at_once() -> None:
    assert all(JobState.CANCELLED in MOVES[state] for state in PENDING)
    assert JobState.CANCELLED not in MOVES[JobState.RUNNING]


@pytest.mark.parametrize("state", JobState)
def test_the_sources_of_a_state_are_those_that_lead_to_it(state: JobState) -> None:
    assert set(sources(state)) == {before for before in JobState if state in MOVES[before]}


def test_every_reason_is_a_sentence() -> None:
    for reason in JobReason:
        assert reason.sentence[0].isupper()
        assert reason.sentence.endswith(".")
