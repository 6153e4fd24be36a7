"""What references can refer to in a run: its inputs, and the results of its steps so far."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson

from ai_semble.schemas.runs import StepState
from ai_semble.schemas.workflows import DEEPEST, too_deep
from orchestrator.workflows.errors import BadReference, StepResultTooLarge
from orchestrator.workflows.records import RunRecord, StepRecord
from orchestrator.workflows.rendering import EvaluationFailed, render

MOST_OF_A_STEP = 4 * 2**20
MOST_OF_A_RUN = 16 * 2**20
# Parsed, they take several times as much, and the orchestrator has 1 GiB.
MOST_OF_ALL = 64 * 2**20


class Shelf:
    """How many bytes of results all runs that go on have in memory."""

    def __init__(self) -> None:
        self.used = 0


class Known:
    """Held in memory while the run goes on, so it is bounded. `close` it."""

    def __init__(self, run: RunRecord, results: Mapping[tuple[str, int], str], shelf: Shelf) -> None:
        self._shelf = shelf
        self._run = {"id": run.id, "workflow": run.workflow, "version": run.version}
        self._inputs = orjson.loads(run.inputs)
        self._results = {place: orjson.loads(result) for place, result in results.items()}
        self._bytes = sum(map(len, results.values()))
        shelf.used += self._bytes

    def close(self) -> None:
        self._shelf.used -= self._bytes
        self._bytes = 0

    def check(self, result: bytes) -> None:
        """Raises StepResultTooLarge for a result that there is no room for."""
        if len(result) > MOST_OF_A_STEP:
            raise StepResultTooLarge(f"It has {len(result):,} bytes; a step has at most {MOST_OF_A_STEP:,}")
        if result.count(b"[") + result.count(b"{") > DEEPEST and too_deep(orjson.loads(result)):
            raise StepResultTooLarge(f"Its values are nested more than {DEEPEST} deep")
        if self._bytes + len(result) > MOST_OF_A_RUN:
            raise StepResultTooLarge(f"All results of the run have more than {MOST_OF_A_RUN:,} bytes")
        if self._shelf.used + len(result) > MOST_OF_ALL:
            raise StepResultTooLarge(f"All runs that go on have results of more than {MOST_OF_ALL:,} bytes")

    def add(self, step: str, number: int, result: bytes) -> None:
        self._results[step, number] = orjson.loads(result)
        self._bytes += len(result)
        self._shelf.used += len(result)

    async def render(
        self, value: Any, steps: Mapping[str, StepRecord], item: tuple[int, Any] | None = None
    ) -> Any:
        """The value with its references replaced. Raises BadReference."""
        document = self._document(steps)
        if item is not None:
            document |= {"index": item[0], "item": item[1]}
        try:
            # In a thread, since a reference may go through megabytes.
            return await asyncio.to_thread(_rendered, value, document)
        except EvaluationFailed as error:
            raise BadReference(str(error)) from error

    def _document(self, steps: Mapping[str, StepRecord]) -> dict[str, Any]:
        told = {name: self._step(step) for name, step in steps.items()}
        return {"inputs": self._inputs, "run": self._run, "steps": told}

    def _step(self, step: StepRecord) -> dict[str, Any]:
        results = [self._results.get((step.name, item.number)) for item in step.items]
        whole: Any = None
        if step.state is StepState.SUCCEEDED:
            whole = results if step.over is not None else results[0]
        problems = [item.problem for item in step.items if item.problem]
        problem = step.problem or (problems[0] if problems else None)
        told = {"state": step.state.value, "result": whole, "problem": problem}
        if step.over is None:
            return told
        items = [
            {"index": item.number, "item": over, "state": item.state.value, "result": result}
            for item, over, result in zip(step.items, step.over, results, strict=True)
        ]
        return {**told, "items": items}


def _rendered(value: Any, document: Mapping[str, Any]) -> Any:
    made = render(value, document)
    try:
        orjson.dumps(made)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise EvaluationFailed(f"what comes out cannot be written as JSON: {error}") from error
    return made
