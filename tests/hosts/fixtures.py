"""Hosts for any tier: one a session, made when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hosts.environment import Installed, install
from tests.hosts.host import Host, running_host
from tests.hosts.recipes import HOSTS, host_for

POD_TARGETS = ("quadlet", "kube")
MOST_REPORTS = 3
_host = pytest.StashKey[Host]()
_reports = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--host", choices=list(HOSTS), help="The host that the machine tests run on (default: debian13)."
    )


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A freshly booted host: the one asked for, or the one of the backend that is the target."""
    target = request.config.getoption("--target")
    backend = target if target in POD_TARGETS else "quadlet"
    with running_host(request.config.getoption("--host") or host_for(backend).name) as made:
        request.session.stash[_host] = made
        yield made
        del request.session.stash[_host]


@pytest.fixture(scope="session")
def installed(host: Host) -> Installed:
    """The host after `setup.sh`."""
    return install(host)


@pytest.fixture(scope="session")
def running(installed: Installed, files_port: int) -> Installed:
    """The host after `deploy.sh start`; its services may fetch from `files_port` of this machine."""
    allowed = f'["{installed.host.our_address}:{files_port}"]'
    installed.configure("fetch", "allowed_private_hosts", allowed)
    installed.deploy("start")
    return installed


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None]:
    """A failure shows what the units and containers of the host say; a flood of failures only once or twice."""
    report = yield
    host = item.session.stash.get(_host, None)
    shown = item.session.stash.get(_reports, 0)
    if host and report.failed and shown < MOST_REPORTS:
        item.session.stash[_reports] = shown + 1
        report.sections.append((f"what {host.recipe.name} says", host.report()))
    return report
