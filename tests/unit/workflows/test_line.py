"""Runs that wait for their turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_semble.errors import InsufficientStorage
from orchestrator.workflows import running
from orchestrator.workflows.records import RunRecord
from orchestrator.workflows.store import RunStore
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
