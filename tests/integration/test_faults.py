"""Processes are killed; the environment heals and nothing that was accepted is lost."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from ai_semble.topology import SERVICES, UPSTREAMS
from tests.support.worlds import World

# A container that hangs is found by three health checks, 15 s apart, each of which may take 10 s.
HEALED_WITHIN_S = {"embedded": 60, "quadlet": 180, "kube": 180}

Eventually = Callable[[Callable[[], bool], str], None]


@pytest.fixture(autouse=True)
def only_with_real_processes(world: World) -> None:
    if world.target == "inprocess":
        pytest.skip("services are threads here; run with --target=embedded")


@pytest.fixture
def eventually(world: World) -> Eventually:
    """Wait until something holds, as long as healing may take in this world."""
    return partial(wait_until, HEALED_WITHIN_S[world.target] * world.slowness)


def wait_until(within_s: int, holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"not within {within_s} s: {what}")


def all_processes(world: World, eventually: Eventually) -> dict[str, int]:
    """The process of every service, from one answer in which none was too busy to say it."""
    found: dict[str, int] = {}

    def all_told() -> bool:
        found.update(world.processes())
        return all(found.values())

    eventually(all_told, "every service tells its process")
    return found


def is_ready(api: httpx.Client) -> bool:
    return bool(api.get("/health").json()["status"] == "ready")


@pytest.mark.parametrize("service", list(SERVICES))
def test_a_killed_service_heals_and_the_others_go_on(
    api: httpx.Client, world: World, eventually: Eventually, service: str
) -> None:
    eventually(lambda: is_ready(api), "all are well before")
    before = all_processes(world, eventually)
    world.signal(service, signal.SIGKILL)
    eventually(
        lambda: is_ready(api) and world.processes()[service] not in (0, before[service]), f"{service} is back"
    )
    after = all_processes(world, eventually)
    for other in set(SERVICES) - {service}:
        assert after[other] == before[other], f"{other} was restarted too"


def test_while_a_service_is_down_health_names_it_and_its_calls_say_when_to_come_back(
    api: httpx.Client, world: World, eventually: Eventually
) -> None:
    world.signal("nlp", signal.SIGKILL)
    answer = api.post("/ai/nlp/process", json={"text": "x", "task": "language"})
    assert answer.status_code in (502, 503)
    assert answer.json()["code"] in ("service_unavailable", "bad_gateway")
    eventually(lambda: is_ready(api), "nlp is back")


def test_a_frozen_service_is_seen_and_replaced(
    api: httpx.Client, world: World, eventually: Eventually
) -> None:
    if world.slowness > 1:
        pytest.skip("where a check of health takes a minute, units ask for it too rarely")
    before = all_processes(world, eventually)["data-processor"]
    world.signal("data-processor", signal.SIGSTOP)
    eventually(lambda: api.get("/health").json()["status"] == "degraded", "health sees it")
    eventually(
        lambda: is_ready(api) and world.processes()["data-processor"] not in (0, before),
        "the frozen one was replaced",
    )


def test_a_killed_orchestrator_ends_every_job_that_it_accepted(
    api: httpx.Client, world: World, eventually: Eventually
) -> None:
    jobs = [
        api.post(
            "/ai/llm/completion",
            json={"prompt": f"Tell me about the number {n}.", "max_tokens": 24},
            headers={"Prefer": "respond-async"},
        ).json()["id"]
        for n in range(8)
    ]
    world.signal("orchestrator", signal.SIGKILL)
    eventually(
        lambda: all(api.get(f"/jobs/{job}").json()["state"] == "succeeded" for job in jobs),
        "every accepted job succeeded",
    )


def test_down_leaves_no_process_and_up_is_quick_again(
    api: httpx.Client, world: World, eventually: Eventually
) -> None:
    if world.target != "embedded":
        pytest.skip("it is the supervisor's; tests/machine stops and starts the pod")
    pids = list(all_processes(world, eventually).values())
    children = [child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)]
    world.command("embedded", "down")
    assert not [pid for pid in [*pids, *children] if psutil.pid_exists(pid)]
    assert not Path(world.variables["XDG_STATE_HOME"], "ai-semble/default/run/supervisor.pid").exists()
    world.command("embedded", "up")
    eventually(lambda: is_ready(api), "all are ready again")
    assert set(UPSTREAMS) < set(api.get("/health").json()["services"])
