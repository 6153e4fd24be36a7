"""The rules by which services are started again."""

from __future__ import annotations

import signal

from hypothesis import given
from hypothesis import strategies as st

from ai_semble.embedded.lifecycle import (
    Life,
    Phase,
    Policy,
    answered,
    describe_exit,
    died,
    is_hung,
    silent,
    started,
    stopped,
)

POLICY = Policy()


def after_quick_deaths(count: int) -> tuple[Life, float]:
    life, now = Life(), 0.0
    for _ in range(count):
        life = died(started(life, 7, now), "ended", now + 1, POLICY)
        now = life.next_start
    return life, now


def test_the_wait_doubles_with_each_quick_death() -> None:
    waits = []
    for count in range(1, 5):
        life, _ = after_quick_deaths(count)
        born, _ = after_quick_deaths(count - 1)
        waits.append(life.next_start - born.next_start - 1)
    assert waits == [0.5, 1, 2, 4]


def test_it_is_failing_after_five_quick_deaths_and_is_still_tried() -> None:
    assert after_quick_deaths(4)[0].phase is Phase.BACKING_OFF
    life, now = after_quick_deaths(5)
    assert life.phase is Phase.FAILING
    assert started(life, 8, now).phase is Phase.STARTING


@given(st.integers(0, 10_000))
def test_the_wait_never_exceeds_the_longest(deaths: int) -> None:
    assert 0 < POLICY.delay(deaths) <= POLICY.longest_delay_s


def test_a_long_life_forgives_early_deaths() -> None:
    life, now = after_quick_deaths(4)
    life = answered(started(life, 9, now), now + 1, POLICY)
    assert life.quick_deaths == 4
    assert answered(life, now + POLICY.stable_after_s, POLICY).quick_deaths == 0


def test_the_death_of_a_long_lived_service_is_answered_at_once() -> None:
    life, now = after_quick_deaths(4)
    life = died(started(life, 9, now), "killed", now + 3600, POLICY)
    assert (life.phase, life.quick_deaths) == (Phase.BACKING_OFF, 1)
    assert life.next_start - (now + 3600) == POLICY.first_delay_s


def test_silence_counts_only_while_probes_go_unanswered() -> None:
    life = answered(started(Life(), 7, 0), 1, POLICY)
    life = silent(silent(life, 30), 29)
    assert not is_hung(life, POLICY)
    assert is_hung(silent(life, 1), POLICY)
    assert not is_hung(answered(life, 60, POLICY), POLICY)


def test_a_starting_service_may_take_longer_than_a_running_one() -> None:
    life = silent(started(Life(), 7, 0), POLICY.hung_after_s)
    assert not is_hung(life, POLICY)
    assert is_hung(silent(life, POLICY.start_limit_s), POLICY)


def test_a_stopped_service_has_no_process() -> None:
    life = stopped(started(Life(), 7, 0))
    assert (life.phase, life.pid) == (Phase.STOPPED, None)


def test_an_exit_is_said_in_words() -> None:
    assert describe_exit(3) == "ended with exit status 3"
    assert describe_exit(-signal.SIGSEGV) == "killed by SIGSEGV"
    assert "out of memory" in describe_exit(-signal.SIGKILL)
    assert describe_exit(-signal.SIGKILL, 61.2) == "killed after 61 s without an answer"
    assert describe_exit(-999) == "killed by signal 999"


def test_every_phase_has_a_sentence() -> None:
    assert all(phase.sentence.endswith(".") for phase in Phase)
