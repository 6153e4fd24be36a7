"""One running environment for the whole suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.hosts.environment import Installed, reachable
from tests.hosts.fixtures import POD_TARGETS
from tests.hosts.pod_world import PodWorld
from tests.hosts.recipes import VmRecipe
from tests.support.worlds import World
from tests.support.worlds import world as open_world
from tests.vm.denials import denied, written


@pytest.fixture(scope="session")
def hung_after_s() -> float:
    """The silence after which embedded services are killed: short, since there are tests that wait for it."""
    return 6


@pytest.fixture(scope="session")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, hung_after_s: float
) -> Iterator[World]:
    target = request.config.getoption("--target")
    if target in POD_TARGETS:
        # Asked for by name: no other target needs a host. What it says at a failure is shown with the failure.
        running: Installed = request.getfixturevalue("running")
        files, files_url = request.getfixturevalue("shared_files")
        with reachable(running.host) as url:
            yield PodWorld(target, url, {}, files, files_url, {}, host=running.host)
        return
    models = Path(request.getfixturevalue("models_dir"))
    with open_world(target, tmp_path_factory.mktemp("world"), models, hung_after_s) as made:
        yield made
        if request.session.testsfailed:
            print(made.logs())


@pytest.fixture(autouse=True)
def _nothing_is_denied(world: World) -> Iterator[None]:
    """A kernel that confines the services lets them do all that a test of this suite asks for."""
    if not isinstance(world, PodWorld) or not isinstance(world.host.recipe, VmRecipe):
        yield
        return
    before = written(world.host)
    yield
    assert denied(world.host, before) == []


@pytest.fixture(scope="session")
def api(world: World) -> Iterator[httpx.Client]:
    """A client of the public API."""
    with httpx.Client(base_url=world.url, timeout=600) as client:
        yield client
