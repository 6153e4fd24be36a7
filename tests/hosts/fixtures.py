"""Hosts for any tier: one a session, made when the first test asks for it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from ai_semble.render.variants import Topology
from tests.hosts import homes
from tests.hosts.environment import Installed, adapt
from tests.hosts.host import Host, running_host
from tests.hosts.recipes import HOSTS, VmRecipe, host_for
from tests.support.files import serving_files

POD_TARGETS = ("quadlet", "kube")
MOST_REPORTS = 3
_host = pytest.StashKey[Host]()
_reports = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--topology",
        choices=list(Topology),
        default="pod",
        help="How the containers of a pod are kept apart.",
    )
    parser.addoption("--host", choices=list(HOSTS), help="Test on this host; --target becomes its backend.")


def pytest_configure(config: pytest.Config) -> None:
    if asked := config.getoption("--host"):
        config.option.target = HOSTS[asked].backend


def needs_installed(item: pytest.Item) -> bool:
    """Whether Ai-semble has to be set up on the host for a test. `world` asks for it by name."""
    return isinstance(item, pytest.Function) and not {"installed", "world"}.isdisjoint(item.fixturenames)


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A freshly booted host: the one asked for, or the one of the backend that is the target."""
    target = request.config.getoption("--target")
    backend = target if target in POD_TARGETS else "quadlet"
    recipe = HOSTS[request.config.getoption("--host") or host_for(backend).name]
    needs_home = isinstance(recipe, VmRecipe) and any(map(needs_installed, request.session.items))
    with running_host(recipe.name, homes.kept_home() if needs_home else "") as made:
        request.session.stash[_host] = made
        yield made
        del request.session.stash[_host]


@pytest.fixture(scope="session")
def installed(host: Host) -> Installed:
    """The host after `setup.sh`; where the kernel is its own, after `install-security.sh`, too."""
    return adapt(host) if isinstance(host.recipe, VmRecipe) else homes.install_and_keep(host)


@pytest.fixture(scope="session")
def shared_files(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder of this machine, and its URL as the host sees it."""
    folder = tmp_path_factory.mktemp("shared-files")
    with serving_files(folder, host.our_address) as url:
        yield folder, url


@pytest.fixture(scope="session")
def running(
    request: pytest.FixtureRequest, installed: Installed, shared_files: tuple[Path, str]
) -> Installed:
    """The host after `deploy.sh start`; its services may fetch the shared files."""
    _, url = shared_files
    installed.configure("fetch", "allowed_private_hosts", f'["{url.removeprefix("http://")}"]')
    installed.configure("network", "topology", f'"{request.config.getoption("--topology")}"')
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
