"""What a container reaches of other machines."""

from __future__ import annotations

import shlex
from urllib.parse import urlsplit

from tests.hosts.environment import Installed
from tests.hosts.pod_world import container


def connected(running: Installed, service: str, url: str) -> bool:
    """Whether a service's container gets a connection to another machine."""
    place = urlsplit(url)
    line = f"timeout 3 bash -c 'exec 3<>/dev/tcp/{place.hostname}/{place.port}'"
    return _succeeds(running, service, "bash", "-c", line)


def looked_up(running: Installed, service: str) -> bool:
    """Whether a container finds the address that the host found its packages at."""
    name = urlsplit(running.host.recipe.mirror).hostname
    assert name
    return _succeeds(running, service, "getent", "hosts", name)


def _succeeds(running: Installed, service: str, *words: str) -> bool:
    done = running.host.run(shlex.join(["podman", "exec", container(service), *words]), check=False)
    return done.returncode == 0
