"""One running environment for the whole suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.worlds import World, logs
from tests.support.worlds import world as open_world


@pytest.fixture(scope="session")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, models_dir: str
) -> Iterator[World]:
    target = request.config.getoption("--target")
    with open_world(target, tmp_path_factory.mktemp("world"), Path(models_dir)) as made:
        yield made
        if request.session.testsfailed:
            print(logs(made))


@pytest.fixture(scope="session")
def api(world: World) -> Iterator[httpx.Client]:
    """A client of the public API."""
    with httpx.Client(base_url=world.url, timeout=120) as client:
        yield client
