"""Jobs: from acceptance to start, jobs a second, and what the engine costs, before a service that echoes."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from tests.load.processes import running
from tests.load.report import Row, bounded
from tests.support.fake_service import fake_service
from tests.support.serving import free_port

MIB = 1024**2
ASYNC = {"Prefer": "respond-async", "Content-Type": "application/json"}
PATH = "/ai/nlp/process"
CONNECTIONS = 8


def measure(folder: Path, *, quick: bool) -> Iterator[Row]:
    """One orchestrator, nothing else; client and service share the machine with it."""
    port = free_port()
    with fake_service() as service:
        variables = {name: str(folder) for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        variables |= {
            "AI_SEMBLE_NLP__PORT": service.url.rpartition(":")[2],
            "AI_SEMBLE_ORCHESTRATOR__PORT": str(port),
        }
        command = [str(Path(sys.executable).with_name("ai-semble")), "serve", "orchestrator"]
        with running(command, port, log=folder / "jobs.log", core=None, variables=variables) as process:
            yield from asyncio.run(figures(f"http://127.0.0.1:{port}", process.pid, quick=quick))


async def figures(url: str, pid: int, *, quick: bool) -> list[Row]:
    process = psutil.Process(pid)
    before = memory(process)
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(url, connector=connector) as client:
        await ended(client, await submit(client))
        waits = [await wait_before_start(client) for _ in range(50 if quick else 300)]
        loaded = memory(process)
        rates = [await rate(client, number) for number in ((200,) if quick else (200, 1000, 3000))]
        after = memory(process)
    percentiles = statistics.quantiles(waits, n=100)
    return [
        bounded("jobs", "accepted to started, p50", percentiles[49] * 1000, "ms", high=50),
        bounded("jobs", "accepted to started, p99", percentiles[98] * 1000, "ms", high=500),
        *(bounded("jobs", f"{number} at once", done, "jobs/s", low=100) for number, done in rates),
        Row("jobs", "orchestrator before the first job", before, "MiB"),
        Row("jobs", "orchestrator with the engine", loaded, "MiB"),
        bounded("jobs", "orchestrator after them all", after, "MiB", high=150),
    ]


async def wait_before_start(client: aiohttp.ClientSession) -> float:
    """Seconds from the acceptance of one job to its start, on an idle orchestrator."""
    job = await ended(client, await submit(client))
    started, created = (datetime.fromisoformat(job[name]) for name in ("started_at", "created_at"))
    return (started - created).total_seconds()


async def rate(client: aiohttp.ClientSession, number: int) -> tuple[int, float]:
    """Jobs a second, from the first submission to the last end."""
    begun = time.perf_counter()
    jobs = await asyncio.gather(*(submit(client) for _ in range(number)))
    for job in jobs[::-50]:
        await ended(client, job)
    while await unended(client):  # noqa: ASYNC110 - it is another process
        await asyncio.sleep(0.05)
    return number, number / (time.perf_counter() - begun)


async def submit(client: aiohttp.ClientSession) -> Mapping[str, Any]:
    async with client.post(PATH, data=b'{"text": "hello"}', headers=ASYNC) as answer:
        job: Mapping[str, Any] = await answer.json()
        return job


async def ended(client: aiohttp.ClientSession, job: Mapping[str, Any]) -> Mapping[str, Any]:
    while not job["ended_at"]:
        async with client.get(f"/jobs/{job['id']}", params={"wait_s": "30"}) as answer:
            job = await answer.json()
    return job


async def unended(client: aiohttp.ClientSession) -> int:
    found = 0
    for state in ("queued", "running", "waiting"):
        async with client.get("/jobs", params={"state": state, "limit": "1"}) as answer:
            found += len((await answer.json())["jobs"])
    return found


def memory(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / MIB
