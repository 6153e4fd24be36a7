"""Processes are killed; the environment heals and nothing that was accepted is lost. Embedded only."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from ai_semble.topology import SERVICES, UPSTREAMS
from tests.support.worlds import World

HEALED_WITHIN_S = 60


@pytest.fixture(autouse=True)
def only_with_real_processes(world: World) -> None:
    if world.target != "embedded":
        pytest.skip("services are threads here; run with --target=embedded")


def eventually(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + HEALED_WITHIN_S
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"not within {HEALED_WITHIN_S} s: {what}")


def pid_of(api: httpx.Client, service: str) -> int:
    pid: int = api.get("/health").json()["services"][service]["pid"]
    return pid


def pids(api: httpx.Client) -> dict[str, int]:
    """The process of every service, from one answer in which none was too busy to say it."""
    found: dict[str, int] = {}

    def all_told() -> bool:
        services = api.get("/health").json()["services"]
        found.update({name: service["pid"] for name, service in services.items()})
        return all(found.values())

    eventually(all_told, "every service tells its process")
    return found


def is_ready(api: httpx.Client) -> bool:
    return bool(api.get("/health").json()["status"] == "ready")


@pytest.mark.parametrize("service", list(SERVICES))
def test_a_killed_service_heals_and_the_others_go_on(api: httpx.Client, service: str) -> None:
    eventually(lambda: is_ready(api), "all are well before")
    before = pids(api)
    os.kill(before[service], signal.SIGKILL)
    eventually(lambda: is_ready(api) and pid_of(api, service) != before[service], f"{service} is back")
    after = pids(api)
    for other in set(SERVICES) - {service}:
        assert after[other] == before[other], f"{other} was restarted too"


def test_while_a_service_is_down_health_names_it_and_its_calls_say_when_to_come_back(
    api: httpx.Client, world: World
) -> None:
    before = pid_of(api, "nlp")
    os.kill(before, signal.SIGKILL)
    answer = api.post("/ai/nlp/process", json={"text": "x", "task": "language"})
    assert answer.status_code in (502, 503)
    assert answer.json()["code"] in ("service_unavailable", "bad_gateway")
    eventually(lambda: is_ready(api), "nlp is back")


def test_a_frozen_service_is_seen_and_replaced(api: httpx.Client) -> None:
    before = pid_of(api, "data-processor")
    os.kill(before, signal.SIGSTOP)
    eventually(lambda: api.get("/health").json()["status"] == "degraded", "health sees it")
    eventually(
        lambda: is_ready(api) and pid_of(api, "data-processor") != before, "the frozen one was replaced"
    )


def test_a_killed_orchestrator_ends_every_job_that_it_accepted(api: httpx.Client) -> None:
    jobs = [
        api.post(
            "/ai/llm/completion",
            json={"prompt": f"Tell me about the number {n}.", "max_tokens": 24},
            headers={"Prefer": "respond-async"},
        ).json()["id"]
        for n in range(8)
    ]
    os.kill(pid_of(api, "orchestrator"), signal.SIGKILL)
    eventually(
        lambda: all(api.get(f"/jobs/{job}").json()["state"] == "succeeded" for job in jobs),
        "every accepted job succeeded",
    )


def test_down_leaves_no_process_and_up_is_quick_again(api: httpx.Client, world: World) -> None:
    pids = [pid_of(api, name) for name in SERVICES]
    children = [child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)]
    world.command("embedded", "down")
    assert not [pid for pid in [*pids, *children] if psutil.pid_exists(pid)]
    assert not Path(world.variables["XDG_STATE_HOME"], "ai-semble/default/run/supervisor.pid").exists()
    world.command("embedded", "up")
    eventually(lambda: is_ready(api), "all are ready again")
    assert set(UPSTREAMS) < set(api.get("/health").json()["services"])
