"""A running orchestrator that asks for keys, with fake services behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ai_semble.service import Runtime
from ai_semble.topology import UPSTREAMS
from orchestrator.access.keys import Limits, Scope
from orchestrator.access.store import KeyStore
from orchestrator.app import create_app
from tests.support.serving import serving
from tests.support.upstream import Upstream, upstream
from tests.unit.gateway.conftest import runtime_for

EVERYTHING = frozenset(Scope)
DEADLINE_S = 30


@dataclass(frozen=True)
class Door:
    """Where the orchestrator is, its keys, and the services behind it."""

    url: str
    runtime: Runtime
    store: KeyStore
    services: dict[str, Upstream]

    @property
    def file(self) -> Path:
        return self.runtime.paths.keys_file

    def key(
        self,
        name: str = "test",
        *,
        scopes: frozenset[Scope] = EVERYTHING,
        models: frozenset[str] = frozenset(),
        expires_at: float | None = None,
        **limits: int,
    ) -> str:
        return self.store.create(name, scopes, models, Limits(**limits), expires_at)[1]

    def client(self, key: str | None = None) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=False, timeout=30, headers=bearer(key) if key else {})

    def refusals(self, code: str) -> float:
        given = self.runtime.metrics.registry.get_sample_value(
            "ai_semble_access_refusals_total", {"service": "orchestrator", "reason": code}
        )
        return given or 0


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.01)


@contextmanager
def door(folder: Path, **sections: Any) -> Iterator[Door]:
    """An orchestrator in this folder; `access` and other sections of its configuration."""
    with ExitStack() as stack:
        services = {name: stack.enter_context(upstream()) for name in UPSTREAMS}
        ports = {name: service.port for name, service in services.items()}
        sections.setdefault("access", {"required": "always"})
        runtime = runtime_for(folder, ports, **sections)
        url = stack.enter_context(serving(create_app(runtime)))
        yield Door(url, runtime, KeyStore(runtime.paths.keys_file), services)


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Door]:
    """Every request needs a key."""
    with door(tmp_path) as made:
        yield made


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Door]:
    """On loopback, as it comes: no key is needed."""
    with door(tmp_path, access={"required": "auto"}) as made:
        yield made
