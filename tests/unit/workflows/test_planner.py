"""The planner against a simple model: whatever the graph and whatever happens, the same steps are run in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ai_semble.schemas.runs import RunState, StepState
from ai_semble.schemas.workflows import StepKind
from orchestrator.workflows.graph import Graph, Node
from orchestrator.workflows.planner import IN_HAND, Standing, fraction, plan, reopened

S = StepState


@dataclass(frozen=True)
class Fate:
    """What happens to a step when its turn comes: the value of `when`, and how each of its calls ends."""

    wanted: bool
    succeeds: tuple[bool, ...]


@dataclass(frozen=True)
class Case:
    graph: Graph
    fates: Mapping[str, Fate]


def node(name: str, needs: set[str], guards: set[str], has_when: bool, goes_on: bool, parallel: int) -> Node:
    return Node(
        name, StepKind.NLP, frozenset(needs), frozenset(guards), has_when, parallel > 1, parallel, goes_on
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    names = [f"s{number}" for number in range(draw(st.integers(1, 7)))]
    nodes: dict[str, Node] = {}
    fates: dict[str, Fate] = {}
    for number, name in enumerate(names):
        earlier = names[:number]
        needs: set[str] = draw(st.sets(st.sampled_from(earlier))) if earlier else set()
        willing = [other for other in earlier if nodes[other].goes_on]
        few = st.sets(st.sampled_from(willing), max_size=2) if willing else st.just(set[str]())
        guards: set[str] = draw(few) if draw(st.booleans()) else set()
        has_when, goes_on = draw(st.booleans()), draw(st.booleans())
        nodes[name] = node(name, needs, guards, has_when, goes_on, draw(st.integers(1, 3)))
        calls = draw(st.lists(st.sampled_from((True, True, False)), max_size=4))
        fates[name] = Fate(draw(st.booleans()) if has_when else True, tuple(calls))
    return Case(Graph(nodes), fates)


def expected(case: Case) -> dict[str, StepState] | None:
    """The model: step after step in the order of the file; None when the run fails."""
    ends: dict[str, StepState] = {}
    for step in case.graph:
        fate = case.fates[step.name]
        failed = {name for name in step.guards if not all(case.fates[name].succeeds)}
        troubled = any(
            ends[name] is S.FAILED or (ends[name] is S.SUCCEEDED and name in failed) for name in step.guards
        )
        lacking = any(ends[name] is not S.SUCCEEDED for name in step.needs - step.guards)
        if (step.guards and not troubled) or (lacking and not step.has_when) or not fate.wanted:
            ends[step.name] = S.SKIPPED
        elif all(fate.succeeds):
            ends[step.name] = S.SUCCEEDED
        elif not step.goes_on:
            return None
        else:
            ends[step.name] = S.SUCCEEDED if any(fate.succeeds) else S.FAILED
    return ends


class Player:
    """Carries plans out as the conductor does, in an order that is drawn."""

    def __init__(self, case: Case, data: st.DataObject) -> None:
        self.case, self.data = case, data
        self.standings = {step.name: Standing() for step in case.graph}
        self.begun: list[tuple[str, int]] = []

    def play(self, ending: RunState | None = None, ending_after: int = -1) -> RunState:
        for turn in range(1000):
            now = ending if turn >= ending_after >= 0 else None
            next_up = plan(self.case.graph, self.standings, now)
            assert 0 <= fraction(self.standings) <= 1
            if next_up.outcome is not None:
                assert next_up.is_idle
                return next_up.outcome
            if next_up.is_idle:
                self.end_one_call()
                continue
            for name in next_up.skip:
                self.move(name, S.SKIPPED)
            for name in next_up.open:
                self.open(name)
            for name, index in next_up.begin:
                self.begin(name, index)
            for name, state in next_up.conclude.items():
                self.move(name, state)
            for name, index in next_up.abort:
                self.set_item(name, index, S.CANCELLED)
        raise AssertionError("the run never ends")

    def open(self, name: str) -> None:
        assert self.standings[name].state is S.PENDING
        step = self.case.graph.nodes[name]
        assert all(self.standings[need].state.ended for need in step.needs | step.guards)
        fate = self.case.fates[name]
        if fate.wanted:
            self.standings[name] = Standing(S.RUNNING, (S.PENDING,) * len(fate.succeeds))
        else:
            self.move(name, S.SKIPPED)

    def begin(self, name: str, index: int) -> None:
        self.begun.append((name, index))
        self.set_item(name, index, S.RUNNING)
        assert self.standings[name].count(*IN_HAND) <= self.case.graph.nodes[name].parallel

    def end_one_call(self) -> None:
        running = [
            (name, index)
            for name, standing in self.standings.items()
            for index, item in enumerate(standing.items)
            if item in IN_HAND
        ]
        assert running, "nothing runs, and nothing is to be done"
        name, index = self.data.draw(st.sampled_from(running))
        if self.standings[name].items[index] is S.RUNNING and self.data.draw(st.integers(0, 4)) == 0:
            self.set_item(name, index, S.WAITING)
        else:
            self.set_item(name, index, S.SUCCEEDED if self.case.fates[name].succeeds[index] else S.FAILED)

    def move(self, name: str, state: StepState) -> None:
        assert not self.standings[name].state.ended
        self.standings[name] = replace(self.standings[name], state=state)

    def set_item(self, name: str, index: int, state: StepState) -> None:
        items = list(self.standings[name].items)
        assert not items[index].ended
        items[index] = state
        self.standings[name] = replace(self.standings[name], items=tuple(items))


@settings(max_examples=150, deadline=None)
@given(cases(), st.data())
def test_every_run_ends_as_the_model_says(case: Case, data: st.DataObject) -> None:
    player = Player(case, data)
    outcome = player.play()
    wanted = expected(case)
    if wanted is None:
        assert outcome is RunState.FAILED
    else:
        assert outcome is RunState.SUCCEEDED
        assert {name: standing.state for name, standing in player.standings.items()} == wanted
    assert len(player.begun) == len(set(player.begun)), "no call is begun twice"
    assert not any(standing.count(*IN_HAND) for standing in player.standings.values())


@settings(max_examples=100, deadline=None)
@given(cases(), st.data())
def test_a_run_that_is_cut_short_goes_on_and_repeats_nothing_that_was_done(
    case: Case, data: st.DataObject
) -> None:
    player = Player(case, data)
    cut = data.draw(st.integers(0, 15))
    first = player.play(RunState.CANCELLED, cut)
    done = {
        (name, index)
        for name, standing in player.standings.items()
        for index, item in enumerate(standing.items)
        if item is S.SUCCEEDED
    }
    assert not any(standing.state is S.RUNNING for standing in player.standings.values())
    if first is not RunState.CANCELLED:
        return
    player.standings = reopened(case.graph, player.standings)
    player.begun.clear()
    second = player.play()
    assert not done & set(player.begun)
    wanted = expected(case)
    assert second is (RunState.FAILED if wanted is None else RunState.SUCCEEDED)
    if wanted is not None:
        assert {name: standing.state for name, standing in player.standings.items()} == wanted


@settings(max_examples=100, deadline=None)
@given(cases(), st.data())
def test_after_a_failure_was_mended_the_run_succeeds(case: Case, data: st.DataObject) -> None:
    player = Player(case, data)
    if player.play() is not RunState.FAILED:
        return
    done = {
        (name, index)
        for name, standing in player.standings.items()
        for index, item in enumerate(standing.items)
        if item is S.SUCCEEDED
    }
    mended = {
        name: fate if case.graph.nodes[name].goes_on else replace(fate, succeeds=(True,) * len(fate.succeeds))
        for name, fate in case.fates.items()
    }
    player.case = Case(case.graph, mended)
    player.standings = reopened(case.graph, player.standings)
    player.begun.clear()
    assert player.play() is RunState.SUCCEEDED
    assert not done & set(player.begun)
    assert {name: standing.state for name, standing in player.standings.items()} == expected(player.case)
