"""A running orchestrator whose four services are fake upstreams."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ai_semble.config import Config
from ai_semble.paths import Paths
from ai_semble.service import Runtime
from ai_semble.topology import UPSTREAMS
from orchestrator.app import create_app
from tests.support.serving import free_port, serving
from tests.support.upstream import Upstream, upstream

TOKEN = "the-token-of-this-test"
SECTIONS = {"data-processor": "data"}


@dataclass(frozen=True)
class Gateway:
    """The orchestrator's address, its runtime, and the services behind it."""

    url: str
    runtime: Runtime
    services: dict[str, Upstream]

    @property
    def llm(self) -> Upstream:
        return self.services["llm"]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


def runtime_for(folder: Path, ports: dict[str, int], **sections: Any) -> Runtime:
    """A runtime whose services are at these ports and whose folders are private."""
    services = {SECTIONS.get(name, name): {"port": port} for name, port in ports.items()}
    for name, keys in sections.items():
        services.setdefault(name, {}).update(keys)
    runtime = Runtime.create("orchestrator", Config.model_validate({**services}), service_token=TOKEN)
    variables = {"HOME": str(folder)}
    paths = Paths.of("default", variables)
    paths.make()
    return dataclasses.replace(runtime, paths=paths)


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with ExitStack() as stack:
        services = {name: stack.enter_context(upstream()) for name in UPSTREAMS}
        ports = {name: service.port for name, service in services.items()}
        limits = {"in_flight": 8, "answer_timeout_s": 1, "health_timeout_s": 1.5}
        server = {"max_body_bytes": 1_000_000, "allowed_origins": ["https://app.example"]}
        runtime = runtime_for(tmp_path_factory.mktemp("gateway"), ports, orchestrator=limits, server=server)
        url = stack.enter_context(serving(create_app(runtime)))
        yield Gateway(url, runtime, services)


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    """The running gateway, with services that tell what came in."""
    for service in running.services.values():
        service.reset()
    return running


@pytest.fixture
def api(gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, verify=False, timeout=10) as client:
        yield client


@pytest.fixture
def down(tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of an orchestrator none of whose services runs."""
    ports = {name: free_port() for name in UPSTREAMS}
    runtime = runtime_for(tmp_path, ports, server={"allowed_origins": ["https://app.example"]})
    with serving(create_app(runtime)) as url, httpx.Client(base_url=url, verify=False, timeout=10) as client:
        yield client
