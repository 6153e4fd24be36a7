"""Hosts with a kernel of their own: what only a kernel does.

The fixtures are those of tests/hosts/fixtures.py, once a session: `host`, `installed`, `running`. A test that stops
or breaks something leaves the environment running and well. One that needs SELinux or AppArmor has that marker.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.hosts.environment import Installed, reachable
from tests.hosts.recipes import HOSTS, KERNELS, VmRecipe

FOLDER = Path(__file__).parent
# Of one answer; an emulated processor may have much else to do.
ANSWERED_WITHIN_S = 300


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the kernel that was asked for; without one, none of this folder can run.

    Where the processor is emulated every program takes seconds; `run-tests.sh all` leaves out what is thorough, and the
    suites of the other folders.
    """
    recipe = HOSTS.get(config.getoption("--host") or "")
    if not isinstance(recipe, VmRecipe):
        skipped = pytest.mark.skip(reason="it needs a kernel of its own; run: ./scripts/run-tests.sh vm")
        for item in items:
            if item.path.is_relative_to(FOLDER):
                item.add_marker(skipped)
        return
    for item in items:
        if not item.path.is_relative_to(FOLDER):
            item.add_marker("thorough")
    others = KERNELS.keys() - {recipe.kernel}
    left_out = [item for item in items if any(map(item.get_closest_marker, others))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def api(running: Installed) -> Iterator[httpx.Client]:
    """A client of the API, which listens on the host's loopback address; of this boot only."""
    with reachable(running.host) as url, httpx.Client(base_url=url, timeout=ANSWERED_WITHIN_S) as client:
        yield client
