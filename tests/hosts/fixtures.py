"""Hosts for any tier: one a session, made when the first test asks for it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.hosts import homes
from tests.hosts.environment import Installed, adapt, install
from tests.hosts.host import Host, running_host
from tests.hosts.recipes import HOSTS, VmRecipe, host_for
from tests.support.files import serving_files

POD_TARGETS = ("quadlet", "kube")
MOST_REPORTS = 3
_host = pytest.StashKey[Host]()
_reports = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--host", choices=list(HOSTS), help="Test on this host; --target becomes its backend.")
    parser.addoption(
        "--keep-home", action="store_true", help="Keep what setup.sh makes, from which a vm begins, too."
    )


def pytest_configure(config: pytest.Config) -> None:
    if asked := config.getoption("--host"):
        config.option.target = HOSTS[asked].backend


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A freshly booted host: the one asked for, or the one of the backend that is the target."""
    target = request.config.getoption("--target")
    backend = target if target in POD_TARGETS else "quadlet"
    recipe = HOSTS[request.config.getoption("--host") or host_for(backend).name]
    home = homes.kept_home() if isinstance(recipe, VmRecipe) else ""
    with running_host(recipe.name, home) as made:
        request.session.stash[_host] = made
        yield made
        del request.session.stash[_host]


@pytest.fixture(scope="session")
def installed(request: pytest.FixtureRequest, host: Host) -> Installed:
    """The host after `setup.sh`."""
    if isinstance(host.recipe, VmRecipe):
        return adapt(host)
    made = install(host)
    if request.config.getoption("--keep-home"):
        homes.keep(made)
    return made


@pytest.fixture(scope="session")
def shared_files(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder of this machine, and its URL as the host sees it."""
    folder = tmp_path_factory.mktemp("shared-files")
    with serving_files(folder, host.our_address) as url:
        yield folder, url


@pytest.fixture(scope="session")
def running(installed: Installed, shared_files: tuple[Path, str]) -> Installed:
    """The host after `deploy.sh start`; its services may fetch the shared files."""
    _, url = shared_files
    installed.configure("fetch", "allowed_private_hosts", f'["{url.removeprefix("http://")}"]')
    installed.deploy("start")
    return installed


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the units and containers of the host say; a flood of failures only at first."""
    report = yield
    host = item.session.stash.get(_host, None)
    shown = item.session.stash.get(_reports, 0)
    if host and report.failed and shown < MOST_REPORTS:
        item.session.stash[_reports] = shown + 1
        report.sections.append((f"what {host.recipe.name} says", host.report()))
    return report
