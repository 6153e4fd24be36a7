"""What is to be done next in a run: pure, over how its steps stand. Nothing here waits, reads or writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ai_semble.schemas.runs import RunState, StepState
from orchestrator.workflows.graph import Graph, Node

_S = StepState
IN_HAND = (_S.RUNNING, _S.WAITING)


@dataclass(frozen=True)
class Standing:
    """How a step stands. `items` are its calls, once they are known: one, or one for each item of `for_each`."""

    state: StepState = StepState.PENDING
    items: tuple[StepState, ...] = ()

    def count(self, *states: StepState) -> int:
        return sum(item in states for item in self.items)

    @property
    def failed(self) -> bool:
        """Whether something of it failed, even if it went on."""
        return self.state is _S.FAILED or _S.FAILED in self.items


@dataclass(frozen=True)
class Plan:
    """What to do, all of it at once.

    `skip` steps that are not run; `open` those whose turn has come: work out `when` and `for_each`; `begin` calls,
    by step and item; `conclude` steps all of whose calls have ended; `abort` calls, since the run ends. With an
    `outcome` the run has ended, and there is nothing else.
    """

    skip: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    begin: tuple[tuple[str, int], ...] = ()
    conclude: Mapping[str, StepState] = field(default_factory=dict)
    abort: tuple[tuple[str, int], ...] = ()
    outcome: RunState | None = None

    @property
    def is_idle(self) -> bool:
        """Whether all that is left is to wait."""
        return not (self.skip or self.open or self.begin or self.conclude or self.abort)


def plan(graph: Graph, standings: Mapping[str, Standing], ending: RunState | None = None) -> Plan:
    """The next things to do. `ending` is how the run is to end when that does not depend on its steps any more:
    it was cancelled, or took too long.
    """
    if ending is None and _is_failing(graph, standings):
        ending = RunState.FAILED
    if ending is not None:
        return _wind_up(graph, standings, ending)
    if all(standings[node.name].state.ended for node in graph):
        return Plan(outcome=RunState.SUCCEEDED)
    skip, opened = [], []
    for node in graph:
        match _turn(node, standings):
            case _S.SKIPPED:
                skip.append(node.name)
            case _S.RUNNING:
                opened.append(node.name)
    running = [node for node in graph if standings[node.name].state is _S.RUNNING]
    begin = [(node.name, index) for node in running for index in _next_items(node, standings[node.name])]
    conclude = {
        node.name: _end_of(node, standings[node.name])
        for node in running
        if all(item.ended for item in standings[node.name].items)
    }
    return Plan(skip=tuple(skip), open=tuple(opened), begin=tuple(begin), conclude=conclude)


def fraction(standings: Mapping[str, Standing]) -> float:
    """Done part of the whole, 0 to 1: each step counts the same, and each of its items within it."""
    return sum(map(_part, standings.values())) / len(standings)


def reopened(graph: Graph, standings: Mapping[str, Standing]) -> dict[str, Standing]:
    """How the steps stand when a run that failed or was cancelled goes on: what is done stays done."""
    return {node.name: _reopen(node, standings[node.name]) for node in graph}


def _is_failing(graph: Graph, standings: Mapping[str, Standing]) -> bool:
    return any(not node.goes_on and standings[node.name].failed for node in graph)


def _wind_up(graph: Graph, standings: Mapping[str, Standing], ending: RunState) -> Plan:
    abort = tuple(
        (node.name, index)
        for node in graph
        for index, item in enumerate(standings[node.name].items)
        if item in IN_HAND
    )
    if abort:
        return Plan(abort=abort)
    conclude = {
        node.name: _S.FAILED if standings[node.name].failed and not node.goes_on else _S.CANCELLED
        for node in graph
        if standings[node.name].state is _S.RUNNING
    }
    return Plan(conclude=conclude) if conclude else Plan(outcome=ending)


def _turn(node: Node, standings: Mapping[str, Standing]) -> StepState | None:
    """RUNNING when its turn has come, SKIPPED when it never will, None when that is over or not known yet."""
    is_pending = standings[node.name].state is _S.PENDING
    if not is_pending or not all(standings[name].state.ended for name in node.needs | node.guards):
        return None
    if node.guards and not any(standings[name].failed for name in node.guards):
        return _S.SKIPPED
    lacking = any(standings[name].state is not _S.SUCCEEDED for name in node.needs - node.guards)
    return _S.SKIPPED if lacking and not node.has_when else _S.RUNNING


def _next_items(node: Node, standing: Standing) -> Iterator[int]:
    free = node.parallel - standing.count(*IN_HAND)
    for index, item in enumerate(standing.items):
        if free <= 0:
            return
        if item is _S.PENDING:
            free -= 1
            yield index


def _end_of(node: Node, standing: Standing) -> StepState:
    """A step that goes on has failed when nothing of it succeeded."""
    if not standing.failed:
        return _S.SUCCEEDED
    return _S.SUCCEEDED if node.goes_on and standing.count(_S.SUCCEEDED) else _S.FAILED


def _part(standing: Standing) -> float:
    if standing.state.ended:
        return 1.0
    ended = sum(item.ended for item in standing.items)
    return ended / len(standing.items) if standing.items else 0.0


def _reopen(node: Node, standing: Standing) -> Standing:
    broken = standing.state is _S.CANCELLED or (standing.state is _S.FAILED and not node.goes_on)
    if not broken:
        return standing
    if not standing.items:
        return Standing()
    again = (_S.CANCELLED,) if node.goes_on else (_S.CANCELLED, _S.FAILED)
    return Standing(_S.RUNNING, tuple(_S.PENDING if item in again else item for item in standing.items))
