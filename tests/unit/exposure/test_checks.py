"""The door stays shut as long as something is missing that protects others or this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ai_semble import exposure
from ai_semble.config import Config
from ai_semble.errors import AiSembleError, InvalidConfiguration
from ai_semble.loading import load_config
from ai_semble.schemas.health import State
from ai_semble.serve import create_runtime
from orchestrator.access.keys import Limits, Scope
from orchestrator.access.store import KeyStore
from tests.support.certificates import self_signed

ELSEWHERE, HERE = "192.0.2.7", "127.0.0.1"


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> KeyStore:
    for kind in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    return KeyStore(Config().paths().keys_file)


def exposing(**expose: Any) -> Config:
    return Config.model_validate({"expose": expose})


def make_key(store: KeyStore, name: str = "good", expires_at: float | None = None) -> None:
    store.create(name, frozenset[Scope](), frozenset[str](), Limits(), expires_at)


def refusal(config: Config, *, in_pod: bool = False) -> AiSembleError:
    with pytest.raises(AiSembleError) as refused:
        exposure.check(config, in_pod=in_pod)
    assert refused.value.user_hint
    return refused.value


def test_without_an_address_nothing_is_asked_for() -> None:
    exposure.check(Config(), in_pod=False)


def test_only_a_key_that_is_valid_opens_the_door(store: KeyStore) -> None:
    config = exposing(address=HERE)
    assert "no valid API key" in refusal(config).detail
    make_key(store, "over", expires_at=1)
    make_key(store, "gone")
    store.revoke("gone")
    assert "keys create" in refusal(config).user_hint
    make_key(store)
    exposure.check(config, in_pod=False)


def test_a_damaged_file_of_keys_opens_nothing() -> None:
    config = exposing(address=HERE)
    config.paths().make()
    config.paths().keys_file.write_bytes(b"nonsense")
    assert "no valid API key" in refusal(config).detail


def test_other_machines_need_tls_or_an_explicit_wish(store: KeyStore, tmp_path: Path) -> None:
    make_key(store)
    refused = refusal(exposing(address=ELSEWHERE))
    assert "no certificate" in refused.detail
    assert "certificate install" in refused.user_hint
    exposure.check(exposing(address=ELSEWHERE, plain_http="allowed"), in_pod=False)
    config = exposing(address=ELSEWHERE)
    config.paths().certificate_file.write_bytes(self_signed(tmp_path).pem)
    exposure.check(config, in_pod=False)
    config.paths().certificate_file.write_bytes(b"nonsense")
    assert refusal(config).code == "bad_certificate"


def test_a_port_of_a_service_is_no_door(store: KeyStore) -> None:
    make_key(store)
    assert "8083" in refusal(exposing(address=HERE, port=8083)).detail


def test_in_a_pod_only_a_proxy_on_this_machine_is_known(store: KeyStore) -> None:
    make_key(store)
    exposure.check(exposing(address=HERE, trusted_proxies=["local"]), in_pod=True)
    assert "local" in refusal(exposing(address=HERE, trusted_proxies=["10.0.0.5"]), in_pod=True).user_hint
    elsewhere = exposing(address=ELSEWHERE, plain_http="allowed", trusted_proxies=["local"])
    assert HERE in refusal(elsewhere, in_pod=True).user_hint


@pytest.mark.parametrize("address", ["gpu-box", "192.0.2.7/24", "[::1]"])
def test_an_address_is_one(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_SEMBLE_EXPOSE__ADDRESS", address)
    with pytest.raises(InvalidConfiguration, match=r"expose\.address"):
        load_config()


def test_on_a_host_the_start_is_refused_and_in_a_pod_health_says_why(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = exposing(address=HERE)
    runtime = create_runtime("orchestrator", config)
    runtime.health.set_state(State.READY)
    with pytest.raises(AiSembleError, match="no valid API key"):
        exposure.open_door(config, runtime)
    monkeypatch.setattr(exposure, "is_in_our_image", lambda: True)
    assert exposure.open_door(config, runtime) is None
    told = runtime.health.snapshot()
    assert told.state is State.DEGRADED
    assert "keys create" in told.reason
    make_key(store)
    door = exposure.open_door(config, runtime)
    assert door is not None
    assert (door.port, door.certificates) == (8443, None)
