"""Another caller forgets a job while its result is asked for."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from aiohttp import web

from orchestrator.jobs.askers import ANYBODY
from orchestrator.jobs.store import JobStore
from tests.support.fake_service import FakeService
from tests.unit.jobs.conftest import Host, ended, submit


async def long_text(_: web.Request) -> web.StreamResponse:
    return web.json_response("x" * 50_000)


async def long_data(_: web.Request) -> web.StreamResponse:
    return web.Response(body=b"x" * 30_000_000, content_type="application/octet-stream")


@pytest.mark.parametrize("address", ["/jobs/{id}", "/jobs/{id}/result"])
def test_a_result_that_is_forgotten_just_before_it_is_opened_is_not_found(
    host: Host, service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    look = JobStore.body

    async def look_and_lose(store: JobStore, job_id: str, part: str) -> bytes | None:
        found = await look(store, job_id, part)
        await store.forget(job_id, ANYBODY)
        (tmp_path / "jobs" / "bodies" / f"{job_id}.{part}").unlink()
        return found

    service.on("/text", long_text)
    with host() as api:
        job = ended(api, submit(api, "/nlp/text"))
        assert len(job["result"]) == 50_000
        monkeypatch.setattr(JobStore, "body", look_and_lose)
        answer = api.get(address.format(**job))
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


def test_a_result_that_is_forgotten_while_it_is_read_is_read_to_its_end(
    api: httpx.Client, shared_service: FakeService
) -> None:
    shared_service.on("/data", long_data)
    job = ended(api, submit(api, "/nlp/data"))
    with api.stream("GET", job["result_url"]) as answer:
        assert api.delete(f"/jobs/{job['id']}", params={"forget": True}).status_code == 204
        assert len(answer.read()) == 30_000_000
