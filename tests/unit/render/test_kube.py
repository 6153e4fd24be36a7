"""The pod for `podman kube play`, as a YAML parser reads it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ai_semble.render.kube import files
from ai_semble.render.variants import Controller, Environment, Host, Version
from ai_semble.render.yaml import Value, dump
from ai_semble.topology import SERVICES


def pod(host: Host | None = None, environment: Environment | None = None) -> dict[str, Any]:
    environment = environment or Environment()
    rendered = files(host or Host(Version(4, 3)), environment)
    parsed: dict[str, Any] = yaml.safe_load(rendered[f"{environment.prefix}.yaml"])
    return parsed


def containers(**given: Any) -> dict[str, dict[str, Any]]:
    return {container["name"]: container for container in pod(**given)["spec"]["containers"]}


def test_the_pod_has_every_service() -> None:
    assert list(containers()) == list(SERVICES)


def test_only_the_api_is_published_and_only_on_loopback() -> None:
    ports = {name: found["ports"] for name, found in containers().items() if "ports" in found}
    assert ports == {"orchestrator": [{"containerPort": 8080, "hostPort": 8080, "hostIP": "127.0.0.1"}]}


@pytest.mark.parametrize("service", SERVICES)
def test_every_container_is_confined(service: str) -> None:
    context = containers()[service]["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["runAsUser"] == 10001


@pytest.mark.parametrize("service", SERVICES)
def test_every_mount_has_its_volume(service: str) -> None:
    volumes = {volume["name"] for volume in pod()["spec"]["volumes"]}
    assert {mount["name"] for mount in containers()[service]["volumeMounts"]} <= volumes


def test_variables_stay_text() -> None:
    for container in containers().values():
        assert all(isinstance(variable["value"], str) for variable in container["env"])


def test_limits_that_the_host_does_not_delegate_are_left_out() -> None:
    host = Host(Version(4, 3), limits=frozenset({Controller.MEMORY}))
    assert containers(host=host)["llm"]["resources"] == {"limits": {"memory": "8Gi"}}
    assert "resources" not in containers(host=Host(Version(4, 3), limits=frozenset()))["llm"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yes",
        "No",
        "null",
        "1",
        "1e3",
        "0x1f",
        "1.2.3.4",
        "a: b",
        "a #b",
        "- a",
        "'",
        '"',
        "~",
        "日本",
        "2026-11-22",
        "a:1",
        "12:30",
    ],
)
def test_text_is_read_back_as_the_same_text(value: str) -> None:
    table: dict[str, Value] = {"key": value, "list": [value, {"inner": value}]}
    assert yaml.safe_load(dump(table)) == table


def test_empty_and_nested_values_are_read_back() -> None:
    value: dict[str, Value] = {"a": {}, "b": [], "c": {"d": [{"e": [1, True]}, {"f": {"g": 2}}]}}
    assert yaml.safe_load(dump(value)) == value
