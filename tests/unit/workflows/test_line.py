"""Runs that wait for their turn."""

from __future__ import annotations

from pathlib import Path

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
