"""Schedules: at their times, each time once, with what was missed made up for as is wished."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_semble.schemas.runs import Run, RunRequest
from ai_semble.schemas.schedules import CatchUp, ScheduleRequest
from orchestrator.jobs.askers import ANYBODY, Asker
from orchestrator.jobs.database import Database
from orchestrator.sqlfiles import migrate_to
from orchestrator.workflows.errors import InvalidInputs
from orchestrator.workflows.schedules import Schedules
from orchestrator.workflows.store import PACKAGE
from orchestrator.workflows.times import Times, WrongTimes, due
from tests.support.fake_service import wait_until
from tests.unit.workflows.conftest import Platform

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE, HOUR, DAY = 60, 3600, 86_400


def at(text: str, zone: ZoneInfo | None = None) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone or UTC).timestamp()


def local(moments: list[float], zone: ZoneInfo = BERLIN) -> list[str]:
    return [f"{datetime.fromtimestamp(moment, zone):%d %H:%M %z}" for moment in moments]


def first(times: Times, start: float, number: int) -> list[float]:
    following = times.following(start)
    return [next(following) for _ in range(number)]


def test_a_time_that_a_night_skips_is_due_after_it_and_one_that_it_has_twice_once() -> None:
    nightly = Times("30 2 * * *", "Europe/Berlin")
    assert local(first(nightly, at("2026-03-28T12:00"), 2)) == ["29 03:00 +0200", "30 02:30 +0200"]
    assert local(first(nightly, at("2026-10-24T12:00"), 2)) == ["25 02:30 +0200", "26 02:30 +0100"]
    hourly = Times("0 * * * *", "Europe/Berlin")
    assert local(first(hourly, at("2026-10-24T23:30"), 3)) == [
        "25 02:00 +0200",
        "25 02:00 +0100",
        "25 03:00 +0100",
    ]


@pytest.mark.parametrize(
    ("cron", "timezone"),
    [
        ("", "UTC"),
        ("* * * *", "UTC"),
        ("* * * * * *", "UTC"),
        ("60 * * * *", "UTC"),
        ("0 0 31 2 *", "UTC"),
        ("R * * * *", "UTC"),
        ("* * * * *", "Mars/Base"),
        ("* * * * *", "../../etc/passwd"),
        ("* * * * *", ""),
    ],
)
def test_what_is_no_time_is_refused(cron: str, timezone: str) -> None:
    with pytest.raises(WrongTimes):
        Times(cron, timezone)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["*/15 * * * *", "0 3 * * *", "@weekly", "5 4 1 * mon"]),
    st.integers(0, 400 * DAY),
    st.integers(0, 30 * DAY),
    st.sampled_from(CatchUp),
)
def test_missed_times_are_those_of_a_clock_that_was_never_stopped(
    cron: str, start: int, away: int, catch_up: CatchUp
) -> None:
    times = Times(cron, "Europe/Berlin")
    begun = at("2026-01-01T00:00") + start
    next_at = times.after(begun)
    now = begun + away
    moments, upcoming = due(times, next_at, now, catch_up)
    every = []
    for moment in times.following(begun):
        if moment > now:
            break
        every.append(moment)
    wanted = {
        CatchUp.NONE: [moment for moment in every[-1:] if now - moment <= MINUTE],
        CatchUp.LAST: every[-1:],
        CatchUp.ALL: every[-100:],
    }
    assert moments == wanted[catch_up]
    assert upcoming > now
    assert upcoming == (next_at if not every else times.after(every[-1]))


def test_years_of_missed_minutes_cost_nothing() -> None:
    begun = time.perf_counter()
    moments, _ = due(Times("* * * * *", "UTC"), at("2020-01-01T00:00"), at("2026-01-01T00:00"), CatchUp.ALL)
    assert len(moments) == 100
    assert time.perf_counter() - begun < 5


class Clockwork:
    """Schedules with a clock that is set by hand, and what they have run."""

    def __init__(self, database: Database) -> None:
        self.now = at("2026-01-01T00:00:30")
        self.runs: dict[str, str] = {}
        self.refusal: Exception | None = None
        self._database = database
        self.restart()

    def restart(self) -> None:
        self.schedules = Schedules(self._database, self.submit, lambda: self.now)

    async def submit(self, name: str, _: RunRequest, __: Asker, ___: str, key: str | None) -> Run:
        if self.refusal:
            raise self.refusal
        if name == "broken":
            raise RuntimeError
        assert key is not None
        self.runs.setdefault(key, key.partition("Z")[0][-19:])
        values: dict[str, Any] = {"id": key, "workflow": name, "version": 1, "state": "queued", "reason": ""}
        return Run.model_construct(**values)

    async def put(self, **members: Any) -> None:
        request = ScheduleRequest.model_validate({"workflow": "test", **members})
        await self.schedules.put("nightly", request, ANYBODY)

    async def until(self, moment: str) -> list[str]:
        """The times that were run for, when the clock has been set forward."""
        before = set(self.runs)
        self.now = at(moment)
        await self.schedules.run_due()
        return [self.runs[key] for key in self.runs if key not in before]


@pytest.fixture
def clockwork(tmp_path: Path) -> Iterator[Clockwork]:
    database = Database(tmp_path / "x.sqlite", lambda connection: migrate_to(connection, PACKAGE), "test")
    database.open()
    yield Clockwork(database)
    database.close()


async def test_24_hours_have_24_runs_however_often_is_looked(clockwork: Clockwork) -> None:
    await clockwork.put(cron="0 * * * *")
    for minute in range(0, 24 * 60, 7):
        await clockwork.until(f"2026-01-01T{minute // 60:02}:{minute % 60:02}:31")
    await clockwork.until("2026-01-02T00:00:01")
    assert len(clockwork.runs) == 24


async def test_a_clock_that_is_set_back_repeats_nothing(clockwork: Clockwork) -> None:
    await clockwork.put(cron="@hourly", catch_up="all")
    assert len(await clockwork.until("2026-01-01T05:30:00")) == 5
    assert await clockwork.until("2026-01-01T02:30:00") == []
    assert await clockwork.until("2026-01-01T06:00:01") == ["2026-01-01T06:00:00"]


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_clock_that_was_years_ahead_puts_nothing_off(clockwork: Clockwork, restarted: bool) -> None:
    await clockwork.put(cron="@hourly")
    assert len(await clockwork.until("2036-01-01T05:30:00")) == 1
    if restarted:
        clockwork.restart()
    assert await clockwork.until("2026-01-01T02:30:00") == []
    assert await clockwork.until("2026-01-01T03:00:01") == ["2026-01-01T03:00:00"]


async def test_a_schedule_with_a_defect_holds_up_no_other(clockwork: Clockwork) -> None:
    await clockwork.put(cron="@hourly")
    request = ScheduleRequest.model_validate({"workflow": "broken", "cron": "@hourly"})
    await clockwork.schedules.put("a-broken-one", request, ANYBODY)
    assert await clockwork.until("2026-01-01T01:00:01") == ["2026-01-01T01:00:00"]
    assert await clockwork.schedules.run_due() > 1, "it is not tried again at once"


@pytest.mark.parametrize(
    ("catch_up", "runs"), [("none", 0), ("last", 1), ("all", 5)], ids=["none", "last", "all"]
)
async def test_missed_times_are_made_up_for_as_wished(clockwork: Clockwork, catch_up: str, runs: int) -> None:
    await clockwork.put(cron="@hourly", catch_up=catch_up)
    assert len(await clockwork.until("2026-01-01T05:30:00")) == runs


async def test_a_pause_is_not_made_up_for(clockwork: Clockwork) -> None:
    await clockwork.put(cron="@hourly", catch_up="all")
    paused = await clockwork.schedules.pause("nightly", ANYBODY, paused=True)
    assert (paused.paused, paused.next_at) == (True, None)
    assert await clockwork.until("2026-01-01T05:30:00") == []
    await clockwork.schedules.pause("nightly", ANYBODY, paused=False)
    assert await clockwork.until("2026-01-01T06:00:01") == ["2026-01-01T06:00:00"]


async def test_what_was_refused_is_told_and_the_next_time_is_tried(clockwork: Clockwork) -> None:
    await clockwork.put(cron="@hourly")
    clockwork.refusal = InvalidInputs("not like this")
    assert await clockwork.until("2026-01-01T01:00:01") == []
    seen = await clockwork.schedules.get("nightly", ANYBODY)
    assert seen.problem is not None
    assert seen.problem.code == "invalid_inputs"
    clockwork.refusal = None
    assert await clockwork.until("2026-01-01T02:00:01") == ["2026-01-01T02:00:00"]
    assert (await clockwork.schedules.get("nightly", ANYBODY)).problem is None


def test_a_schedule_runs_its_workflow(here: Platform) -> None:
    here.put(
        "inputs: {text: {type: string}}\nsteps:\n  a:\n    nlp: {task: language, text: '${{ inputs.text }}'}\n"
    )
    request = {"workflow": "test", "cron": "* * * * *", "inputs": {"text": "hi"}, "timezone": "Asia/Tokyo"}
    made = here.api.put("/schedules/often", json=request)
    assert made.status_code == 200, made.text
    assert made.json()["next_at"]
    wrong = {**request, "inputs": {}}
    assert here.api.put("/schedules/often", json=wrong).json()["code"] == "invalid_inputs"
    wrong = {**request, "cron": "x"}
    assert here.api.put("/schedules/often", json=wrong).json()["code"] == "invalid_schedule"
    wrong = {**request, "workflow": "absent"}
    assert here.api.put("/schedules/often", json=wrong).json()["code"] == "workflow_not_found"
    assert [one["name"] for one in here.api.get("/schedules").json()["schedules"]] == ["often"]
    assert here.api.post("/schedules/often/pause").json()["next_at"] is None
    assert here.api.post("/schedules/often/resume").json()["next_at"]
    (file,) = here.folder.rglob("workflows.sqlite")
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("UPDATE schedules SET next_at = ?", [time.time() - 1])
    here.api.put("/schedules/other", json={**request, "paused": True})  # which makes it look at the clock
    wait_until(lambda: here.api.get("/schedules/often").json()["last_run"] is not None, "it ran")
    run = here.ended(here.api.get("/schedules/often").json()["last_run"])
    assert run["state"] == "succeeded"
    assert run["inputs"] == {"text": "hi"}
    assert here.api.delete("/schedules/often").status_code == 204
    assert here.api.get("/schedules/often").json()["code"] == "schedule_not_found"
