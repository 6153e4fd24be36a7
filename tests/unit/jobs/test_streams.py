"""What a stream of events does when little happens, much happens, or the orchestrator stops."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from tests.support.fake_service import FakeService
from tests.unit.jobs.conftest import Host, ended, frames, submit, watch


def test_silence_is_filled_with_heartbeats(
    host: Host, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.jobs.service.HEARTBEAT_S", 0.05)
    gate = service.hold("/quiet")
    with host() as api:
        job = submit(api, "/nlp/quiet")
        with api.stream("GET", f"/jobs/{job['id']}/events") as answer:
            stream = frames(answer)
            while "comment" not in next(stream):
                pass
            gate.open()
            assert list(stream)[-1]["event"] == "end"


def test_a_long_answer_tells_how_far_it_is(
    host: Host, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.jobs.runner.REPORT_EVERY_S", 0.0)

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "4000", "Content-Type": "text/plain"})
        await response.prepare(request)
        for _ in range(4):
            await response.write(b"x" * 1000)
            await asyncio.sleep(0.1)
        return response

    service.on("/drip", drip)
    with host() as api:
        job = submit(api, "/nlp/drip")
        told = [frame for frame in watch(api, job) if frame["event"] == "progress"]
        assert ended(api, job)["progress"]["fraction"] == 1.0
    assert all("id" not in frame for frame in told)
    fractions = [frame["data"]["progress"]["fraction"] for frame in told]
    assert fractions
    assert fractions == sorted(fractions)
    assert "bytes received" in told[0]["data"]["progress"]["message"]


def test_the_stream_ends_when_the_orchestrator_stops(host: Host, service: FakeService) -> None:
    gate = service.hold("/endless")
    with host() as api:
        job = submit(api, "/nlp/endless")
        with api.stream("GET", f"/jobs/{job['id']}/events") as answer:
            stream = frames(answer)
            next(stream)
            next(stream)
    gate.open()
