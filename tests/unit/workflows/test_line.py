"""Runs that wait for their turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_semble.errors import InsufficientStorage
from orchestrator.workflows import running
from orchestrator.workflows.records import RunRecord
from orchestrator.workflows.store import RunStore
from tests.support.attacks import attack
from tests.support.fake_service import wait_until
from tests.unit.workflows.conftest import NLP, platform
from tests.unit.workflows.test_runs import TWO


def test_runs_stand_in_line_and_are_listed(tmp_path: Path) -> None:
    with platform(tmp_path, workflows={"max_running": 1, "max_queued": 2}) as here:
        gate = here.hold(NLP)
        here.put(TWO)
        runs = [here.run(text="a")]
        wait_until(lambda: here.get(runs[0])["state"] == "running", "the first runs")
        runs += [here.run(text="b"), here.run(text="c")]
        full = here.api.post("/workflows/test/runs", json={"inputs": {"text": "d"}})
        assert (full.status_code, full.json()["code"]) == (503, "overloaded")
        assert [here.get(run)["state"] for run in runs] == ["running", "queued", "queued"]
        assert here.api.post(f"/runs/{runs[2]}/cancel").json()["state"] == "cancelled"
        here.answer(NLP, lambda _: {"result": "x"})
        gate.open()
        assert here.ended(runs[1])["state"] == "succeeded"
        page = here.api.get("/workflows/test/runs", params={"limit": 2}).json()
        assert [run["id"] for run in page["runs"]] == [runs[2], runs[1]]
        rest = here.api.get("/workflows/test/runs", params={"cursor": page["next_cursor"]}).json()
        assert [run["id"] for run in rest["runs"]] == [runs[0]]
        counted = 'ai_semble_runs_ended_total{service="orchestrator",state="succeeded"} 2.0'
        wait_until(lambda: counted in here.api.get("/metrics").text, "both are counted")


def test_a_run_that_a_full_disk_has_stopped_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, failures = RunStore.begin, [2]

    async def failing(self: RunStore, run_id: str) -> RunRecord | None:
        if failures[0]:
            failures[0] -= 1
            raise InsufficientStorage("The disk is full")
        return await begin(self, run_id)

    monkeypatch.setattr(RunStore, "begin", failing)
    monkeypatch.setattr(running, "KEEP_EVERY_S", 0.05)
    with platform(tmp_path) as here:
        here.put(TWO)
        assert here.ended(here.run(text="a"))["state"] == "succeeded"
    assert failures == [0]


@attack(
    threat="A workflow of workflows of workflows, each for many items, fills memory with runs",
    control="At each depth so many runs go on as at the top; the others stand in line",
    file="containers/orchestrator/src/orchestrator/workflows/running.py",
)
def test_runs_of_steps_stand_in_line_and_are_in_nobodys_way(tmp_path: Path) -> None:
    each = "steps:\n  a:\n    for_each: [1, 2, 3]\n    parallel: 3\n    workflow: {name: NAME}\n"
    with platform(tmp_path, workflows={"max_running": 1}) as here:
        gate = here.hold(NLP)
        here.put("steps:\n  a:\n    nlp: {task: language, text: hi}\n", "inner")
        here.put(each.replace("NAME", "inner"), "middle")
        here.put(each.replace("NAME", "middle"), "outer")
        run = here.run("outer")
        wait_until(lambda: len(here.bodies(NLP)) == 1, "the first call")

        def states(name: str) -> list[str]:
            page = here.api.get(f"/workflows/{name}/runs").json()
            return sorted(one["state"] for one in page["runs"])

        wait_until(lambda: len(states("inner") + states("middle")) == 6, "all are there")
        assert states("middle") == states("inner") == ["queued", "queued", "running"]
        assert len(here.bodies(NLP)) == 1
        here.answer(NLP, lambda _: {"result": "x"})
        gate.open()
        assert here.ended(run)["state"] == "succeeded"
        assert states("inner") == ["succeeded"] * 9
