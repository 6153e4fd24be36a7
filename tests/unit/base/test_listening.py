"""A service listens where nobody else reaches it; for others there is the outer door (tests/unit/exposure)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_semble import listening
from ai_semble.config import Config, ServerConfig
from ai_semble.errors import InvalidConfiguration
from ai_semble.listening import address_of, refuse_open_address
from ai_semble.topology import SERVICES


def listening_on(host: str) -> Config:
    return Config(server=ServerConfig(host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_the_machine_itself_is_always_allowed(host: str) -> None:
    refuse_open_address(listening_on(host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])  # noqa: S104 - refused
def test_an_address_that_others_reach_is_refused_on_a_host(host: str) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        refuse_open_address(listening_on(host))
    assert host in refused.value.detail
    assert "expose.address" in refused.value.user_hint


def test_in_a_container_any_address_is_its_own() -> None:
    refuse_open_address(listening_on("0.0.0.0"), in_container=True)  # noqa: S104 - the subject


def test_a_container_that_is_not_of_our_images_may_share_the_network_of_its_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(listening, "CONTAINER_MARK", tmp_path)
    assert not listening.is_in_our_image()
    monkeypatch.setattr("sys.prefix", "/opt/ai-semble")
    assert listening.is_in_our_image()
    monkeypatch.setattr(listening, "CONTAINER_MARK", tmp_path / "absent")
    assert not listening.is_in_our_image()


def test_only_the_orchestrator_listens_where_others_reach_it() -> None:
    config = listening_on("192.0.2.7")
    assert {name: address_of(config, name) for name in SERVICES} == {
        "orchestrator": "192.0.2.7",
        "llm": "127.0.0.1",
        "vision": "127.0.0.1",
        "nlp": "127.0.0.1",
        "data-processor": "127.0.0.1",
    }
    assert {address_of(listening_on("::1"), name) for name in SERVICES} == {"::1"}
