"""The environment under attack: that of the integration suite. `well` says that it is none the worse for it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.integration.conftest import api, world
from tests.support.worlds import World

__all__ = ["api", "world"]
GOOD = {"text": "This is a great product!", "task": "sentiment"}


@pytest.fixture
def port(world: World) -> int:
    """Where the public API is on this machine, for what no HTTP library would send."""
    return int(world.url.rpartition(":")[2])


@pytest.fixture(autouse=True)
def well(api: httpx.Client) -> Iterator[None]:
    """After each attack every service runs, in the process that it had before, and answers."""
    before = api.get("/health").json()["services"]
    yield
    health = api.get("/health").json()
    assert health["status"] == "ready", health["reason"]
    for name, service in health["services"].items():
        assert service["pid"] == before[name]["pid"], f"{name} was started again"
    assert api.post("/ai/nlp/process", json=GOOD).status_code == 200
