"""A server that can be made to fail, and clients that lose no time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_semble_client import Backoff, Client, Settings
from tests.support.upstream import Upstream
from tests.support.upstream import upstream as open_upstream

QUICK = Backoff(retries=3, first_s=0.001)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No settings of the machine's own."""
    for name in ("AI_SEMBLE_URL", "AI_SEMBLE_API_KEY", "AI_SEMBLE_CA_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


@pytest.fixture
def server() -> Iterator[Upstream]:
    with open_upstream() as made:
        yield made


@pytest.fixture
def settings(server: Upstream) -> Settings:
    return Settings(server.url, timeout_s=10)


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    with Client(settings=settings, backoff=QUICK) as made:
        yield made
