"""A database without a worker around it for what operations compute, and a running service for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from data_processor.app import create_app
from tests.support.serving import serving
from tests.unit.data.bench import Bench, make_runtime


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Operations, computed in this process."""
    made = Bench.open(tmp_path_factory.mktemp("bench"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a service that all tests share; they use different names for their datasets."""
    runtime = make_runtime(tmp_path_factory.mktemp("service"), timeout_s=5, memory_limit=512 * 1024**2)
    with serving(create_app(runtime)) as url:
        yield url


@pytest.fixture(scope="session")
def client(service: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service, timeout=60) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
