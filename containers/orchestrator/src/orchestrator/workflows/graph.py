"""The steps of a workflow and what each waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ai_semble.schemas.workflows import Step, StepKind, WorkflowDefinition
from orchestrator.workflows.expressions import BadExpression, Expression, Mention, split, texts_in

OVER_ALL, OVER_ITEMS = ("when", "for_each"), tuple(StepKind)


@dataclass(frozen=True)
class Node:
    """One step. `needs` have to be over first; `guards` are those whose failure it is there for."""

    name: str
    kind: StepKind
    needs: frozenset[str]
    guards: frozenset[str]
    has_when: bool
    for_each: bool
    parallel: int
    goes_on: bool


class Cycle(Exception):
    """Steps wait for each other; `steps` in order, the first one again at the end."""

    def __init__(self, steps: list[str]) -> None:
        super().__init__(" -> ".join(steps))
        self.steps = steps


@dataclass(frozen=True)
class Graph:
    """The steps by name, in the order of the file."""

    nodes: Mapping[str, Node]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def layers(self) -> list[list[str]]:
        """The steps by how many others have to be over before them at least."""
        sorter = TopologicalSorter({node.name: node.needs | node.guards for node in self})
        sorter.prepare()
        layers: list[list[str]] = []
        while ready := sorter.get_ready():
            order = list(self.nodes)
            layers.append(sorted(ready, key=order.index))
            sorter.done(*ready)
        return layers


def graph_of(definition: WorkflowDefinition) -> Graph:
    """Raises Cycle. The definition has no unknown names in it."""
    nodes = {name: _node(name, step, definition) for name, step in definition.steps.items()}
    graph = Graph(nodes)
    try:
        TopologicalSorter({node.name: node.needs | node.guards for node in graph}).prepare()
    except CycleError as error:
        raise Cycle(list(reversed(error.args[1]))) from error
    return graph


def _node(name: str, step: Step, definition: WorkflowDefinition) -> Node:
    guards = frozenset(other for other, guarded in definition.steps.items() if guarded.handler == name)
    mentioned = {mention.name for mention in mentions_in(step_values(step)) if mention.root == "steps"}
    needs = (mentioned | set(step.after)) & definition.steps.keys()
    return Node(
        name=name,
        kind=step.kind,
        needs=frozenset(need for need in needs if need is not None),
        guards=guards,
        has_when="when" in step.model_fields_set,
        for_each=step.for_each is not None,
        parallel=step.parallel if step.for_each is not None else 1,
        goes_on=step.on_failure != "fail",
    )


def step_values(step: Step) -> dict[str, Any]:
    """All of a step that can have references in it."""
    return {"when": step.when, "for_each": step.for_each, step.kind.value: call_of(step)}


def call_of(step: Step) -> Any:
    """What the step calls, as in the file."""
    call = getattr(step, step.kind.value)
    return call if isinstance(call, dict) else call.model_dump(by_alias=True, exclude_unset=True)


def mentions_in(value: Any) -> frozenset[Mention]:
    """What all references in a value begin with; those that cannot be read have none."""
    found: set[Mention] = set()
    for _, text in texts_in(value):
        try:
            parts = split(text)
        except BadExpression:
            continue
        for part in parts:
            if isinstance(part, Expression):
                found |= part.mentions()
    return frozenset(found)
