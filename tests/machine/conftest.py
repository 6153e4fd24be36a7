"""Real hosts: `host` (booted), `installed` (after setup.sh) and `running` (after deploy.sh start).

The fixtures are those of tests/hosts/fixtures.py; each is made once a session. A test that stops, breaks or
removes something leaves the environment running and well.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.hosts.environment import Installed, reachable


@pytest.fixture
def api(running: Installed) -> Iterator[httpx.Client]:
    """A client of the API, which listens on the host's loopback address; of this boot only."""
    with reachable(running.host) as url, httpx.Client(base_url=url, timeout=120) as client:
        yield client
