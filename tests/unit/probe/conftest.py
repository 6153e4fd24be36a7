"""All five services with their real models, as one environment."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from ai_semble.config import SECTION_NAMES, Config
from ai_semble.paths import Paths
from ai_semble.probe.asking import Door
from ai_semble.service import Runtime
from ai_semble.topology import ORCHESTRATOR, SERVICES, UPSTREAMS
from tests.support.serving import free_port, serving

TOKEN = "the-token-of-this-test"
READY_S = 120


@pytest.fixture(scope="package")
def door(models_dir: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Where the services are asked."""
    tables = {SECTION_NAMES.get(name, name): {"port": free_port()} for name in SERVICES}
    config = Config.model_validate({**tables, "models": {"directory": models_dir}})
    paths = Paths.of("default", {"HOME": str(tmp_path_factory.mktemp("environment"))})
    paths.make()
    with ExitStack() as stack:
        for name in UPSTREAMS:
            runtime = dataclasses.replace(Runtime.create(name, config, token=TOKEN), paths=paths)
            stack.enter_context(serving(SERVICES[name].create_app(runtime), config.port_of(name)))
        front = Runtime.create(ORCHESTRATOR.name, config, service_token=TOKEN)
        app = ORCHESTRATOR.create_app(dataclasses.replace(front, paths=paths))
        url = stack.enter_context(serving(app, config.port_of(ORCHESTRATOR.name)))
        _wait_until_ready(url)
        yield Door(config, TOKEN)


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + READY_S
    while httpx.get(f"{url}/health", timeout=10).json()["status"] != "ready":
        assert time.monotonic() < deadline, "the services are not ready"
        time.sleep(0.1)
