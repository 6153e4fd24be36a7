"""No 60 seconds hold more than the limit, whatever is asked and whenever."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.access.windows import GRAIN_S, SPAN_S, Window
from tests.support.attacks import attack

STEPS = st.floats(0, 40, allow_nan=False)


@attack(
    threat="Twice the limit around a full minute",
    control="A sliding window of everything that was used",
    file="containers/orchestrator/src/orchestrator/access/windows.py",
)
@given(
    st.integers(1, 20),
    st.lists(st.tuples(STEPS | st.floats(0, 0.2), st.integers(1, 6)), max_size=60),
)
def test_no_minute_holds_more_than_the_limit(limit: int, asked: list[tuple[float, int]]) -> None:
    window, now = Window(), 0.0
    passed: list[tuple[float, int]] = []
    for step, amount in asked:
        now += step
        if window.wait(amount, limit, now) == 0:
            window.spend(amount, now)
            passed.append((now, amount))
    for begin, _ in passed:
        assert sum(amount for at, amount in passed if begin <= at < begin + SPAN_S) <= limit


@given(st.integers(1, 20), st.lists(st.tuples(STEPS, st.integers(1, 6)), min_size=1, max_size=40))
def test_after_the_wait_it_passes(limit: int, asked: list[tuple[float, int]]) -> None:
    window, now = Window(), 0.0
    for step, amount in asked:
        now += step
        wait = window.wait(amount, limit, now)
        if amount > limit:
            assert wait == math.inf
        elif wait:
            assert 0 < wait < SPAN_S + 1e-6
            assert window.wait(amount, limit, now + wait + 1e-6) == 0
        else:
            window.spend(amount, now)


@given(st.lists(st.tuples(STEPS, st.integers(1, 6)), max_size=40))
def test_what_is_remembered_makes_an_equal_window_up_to_a_grain(asked: list[tuple[float, int]]) -> None:
    window, now = Window(), 0.0
    for step, amount in asked:
        now += step
        window.spend(amount, now)
    again = Window((now - ago, amount) for ago, amount in window.remembered(now))
    for limit in (1, 7, 50):
        longer = again.wait(1, limit, now) - window.wait(1, limit, now)
        assert -1e-6 <= longer <= GRAIN_S + 1e-6


@attack(
    threat="Millions of requests fill the memory of a window",
    control="A window has at most 600 entries",
    file="containers/orchestrator/src/orchestrator/access/windows.py",
)
def test_a_long_day_takes_little_memory() -> None:
    window = Window()
    for moment in range(200_000):
        window.wait(1, 10**6, moment / 1000)
        window.spend(1, moment / 1000)
    assert len(window.remembered(200)) <= SPAN_S / GRAIN_S + 1


class HeldTokens(RuleBasedStateMachine):
    """Calls hold a bound, run for as long as they like, and settle for what they used."""

    LIMIT = 100

    def __init__(self) -> None:
        super().__init__()
        self.window, self.now = Window(), 0.0
        self.running: list[tuple[float, int]] = []
        self.used: list[tuple[float, float, int]] = []  # from, to, tokens

    @rule(step=st.floats(0, 100, allow_nan=False))
    def time_passes(self, step: float) -> None:
        self.now += step

    @rule(bound=st.integers(1, 120))
    def a_call_begins(self, bound: int) -> None:
        if self.window.wait(bound, self.LIMIT, self.now) == 0:
            self.window.hold(bound)
            self.running.append((self.now, bound))

    @rule(data=st.data())
    def a_call_ends(self, data: st.DataObject) -> None:
        if self.running:
            began, bound = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
            used = data.draw(st.integers(0, bound))
            self.window.settle(bound, used, self.now)
            self.used.append((began, self.now, used))

    @invariant()
    def no_minute_has_more_than_the_limit(self) -> None:
        for _, begin, _ in self.used:
            assert sum(used for _, to, used in self.used if begin <= to < begin + SPAN_S) <= self.LIMIT

    @invariant()
    def what_counts_now_is_within_the_limit(self) -> None:
        recent = sum(used for _, to, used in self.used if to > self.now - SPAN_S)
        assert recent + sum(bound for _, bound in self.running) <= self.LIMIT


TestHeldTokens = HeldTokens.TestCase
