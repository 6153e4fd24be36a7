"""The environment under attack: that of the integration suite. `well` says that it is none the worse for it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from ai_semble.config import Config
from tests.integration.conftest import api, world
from tests.support.worlds import World

__all__ = ["api", "world"]
WELL_WITHIN_S = 30
GOOD = {"text": "This is a great product!", "task": "sentiment"}


@pytest.fixture(scope="session")
def hung_after_s() -> float:
    """As it comes: on a busy machine thousands of connections keep a service silent for some seconds, and a supervisor
    that ends it for these is not what is attacked here.
    """
    return Config().embedded.hung_after_s


@pytest.fixture
def port(world: World) -> int:
    """Where the public API is on this machine, for what no HTTP library would send."""
    return int(world.url.rpartition(":")[2])


@pytest.fixture(autouse=True)
def well(api: httpx.Client, world: World) -> Iterator[None]:
    """After each attack every service runs, in the process that it had before, and answers."""
    within_s = WELL_WITHIN_S * world.slowness
    before = processes_when_ready(api, within_s)
    yield
    assert processes_when_ready(api, within_s) == before
    assert api.post("/ai/nlp/process", json=GOOD).status_code == 200


def processes_when_ready(api: httpx.Client, within_s: float) -> dict[str, int]:
    """The process of each service; a service may be busy for a moment after an attack."""
    deadline = time.monotonic() + within_s
    while True:
        health = api.get("/health").json()
        found = {name: service["pid"] for name, service in health["services"].items()}
        if health["status"] == "ready" and all(found.values()):
            return found
        assert time.monotonic() < deadline, health["reason"]
        time.sleep(0.1)
