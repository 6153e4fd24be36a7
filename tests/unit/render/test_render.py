"""What is rendered, against golden folders and against what the platform promises."""

from __future__ import annotations

import re
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path

import pytest

from ai_semble.errors import InvalidConfiguration
from ai_semble.render.commands import parse_cpus, parse_gpus, parse_limits, parse_size, write
from ai_semble.render.keys import entries
from ai_semble.render.quadlet import files as quadlets
from ai_semble.render.variants import (
    Backend,
    Controller,
    Environment,
    Exposed,
    Host,
    Limits,
    Topology,
    Version,
)
from ai_semble.topology import SERVICES

from .variants import GOLDENS, VARIANTS, read


@pytest.mark.parametrize("name", VARIANTS)
def test_a_rendering_is_what_its_golden_folder_says(name: str) -> None:
    assert VARIANTS[name].files() == read(GOLDENS / name), "renew with: python -m tests.unit.render.variants"


def test_there_is_no_golden_folder_without_a_variant() -> None:
    assert {path.name for path in GOLDENS.iterdir()} == set(VARIANTS)


SECOND = "ai-semble-research"


def values(text: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("minor", range(9))
def test_only_the_api_is_published_and_only_on_loopback(minor: int) -> None:
    files = quadlets(Host(Version(5, minor)), Environment())
    published = [line for text in files.values() for line in values(text, "PublishPort")]
    assert published == ["127.0.0.1:8080:8080"]


@pytest.mark.parametrize(("egress", "expected"), [("none", ["true"]), ("guarded", [])])
def test_the_network_has_a_way_out_or_not_as_configured(
    egress: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("AI_SEMBLE_NETWORK__EGRESS", egress)
    write(output=tmp_path / "units")
    assert values((tmp_path / "units/ai-semble.network").read_text(), "Internal") == expected


def test_the_development_pod_publishes_every_service_on_loopback() -> None:
    pod = quadlets(Host(), Environment.of("default", source="/src"))["ai-semble-dev.pod"]
    expected = [f"127.0.0.1:{18080 if port == 8080 else port}:{port}" for port in range(8080, 8085)]
    assert values(pod, "PublishPort") == expected


def test_two_environments_share_nothing_but_the_models() -> None:
    one, other = quadlets(Host(), Environment()), quadlets(Host(), Environment("research", 8180, number=1))
    assert set(one) & set(other) == {"ai-semble-models.volume"}
    for key in ("Image", "Secret", "SeccompProfile", "Network", "Pod", "ContainerName", "VolumeName"):
        values_of = [{v for text in files.values() for v in values(text, key)} for files in (one, other)]
        shared = values_of[0] & values_of[1]
        assert shared == ({"ai-semble-models"} if key == "VolumeName" else set()), key
    folders = [
        values(text, "Volume")[0]
        for text in (one["ai-semble-llm.container"], other[f"{SECOND}-llm.container"])
    ]
    assert folders == ["%E/ai-semble:/etc/ai-semble:ro", f"%E/{SECOND}:/etc/ai-semble:ro"]


def test_models_of_ones_own_leave_those_of_the_others_alone() -> None:
    files = quadlets(Host(), Environment("research", 8180, number=1, private_models=True))
    assert "ai-semble-models.volume" not in files
    assert values(files[f"{SECOND}-models.volume"], "VolumeName") == [f"{SECOND}-models"]
    assert f"{SECOND}-models.volume:/var/lib/ai-semble-models:ro" in files[f"{SECOND}-llm.container"]


@pytest.mark.parametrize("topology", Topology)
def test_no_two_environments_have_a_user_of_the_host_in_common(topology: Topology) -> None:
    def users(number: int) -> set[int]:
        made = Environment("a", number=number, topology=topology)
        return {made.user(container) for container in range(5 if topology is Topology.NETWORK else 1)}

    assert not any(users(one) & users(other) for one in range(20) for other in range(one))
    second = quadlets(Host(), Environment("research", 8180, number=1, topology=topology))
    first, name = (
        (f"{SECOND}-orchestrator.container", "UIDMap=10001:")
        if topology == "network"
        else (f"{SECOND}.pod", "--uidmap=10001:")
    )
    assert f"{name}20006:1" in second[first]


@pytest.mark.parametrize("version", [Version(5, 0), Version(5, 6)])
def test_no_network_hands_packets_to_another(version: Version) -> None:
    for environment in (Environment(), Environment.of("default", source="/src"), APART):
        networks = [
            text for file, text in quadlets(Host(version), environment).items() if file.endswith(".network")
        ]
        assert all(values(text, "Options") == ["isolate=strict"] for text in networks)


def test_an_environment_has_its_part_of_the_host_and_no_service_is_told_of_more() -> None:
    limits = Limits(memory_mib=2560, cpus=1.5)
    files = quadlets(Host(), Environment("big-lab", 8180, number=1, limits=limits))
    slice_text = files["ai-semble-big_lab.slice"]
    assert values(slice_text, "MemoryMax") == ["2560M"]
    assert values(slice_text, "CPUQuota") == ["150%"]
    assert "PodmanArgs=--memory=2560m" in files["ai-semble-big-lab-llm.container"]
    assert "PodmanArgs=--cpus=1.5" in files["ai-semble-big-lab-llm.container"]
    for file, text in files.items():
        if file.endswith((".container", ".pod")):
            assert values(text, "Slice") == ["ai-semble-big_lab.slice"]


def test_a_part_of_the_host_has_no_limit_that_the_host_does_not_delegate() -> None:
    environment = Environment("lab", 8180, number=1, limits=Limits(memory_mib=2560, cpus=1.5))
    text = quadlets(Host(limits=frozenset()), environment)["ai-semble-lab.slice"]
    assert text.endswith("[Slice]\n")


def test_the_default_environment_is_in_no_part_of_the_host_that_holds_others() -> None:
    assert not [text for text in quadlets(Host(), Environment()).values() if "Slice=" in text]


@pytest.mark.parametrize(
    ("gpu", "devices"), [("all", ["nvidia.com/gpu=all"]), ("1", ["nvidia.com/gpu=1"]), ("none", [])]
)
def test_two_environments_can_have_different_gpus(gpu: str, devices: list[str]) -> None:
    files = quadlets(Host(gpu=True), Environment("lab", 8180, number=1, gpu=gpu))
    assert values(files["ai-semble-lab-llm.container"], "AddDevice") == devices
    assert not values(files["ai-semble-lab-nlp.container"], "AddDevice")


APART = Environment(topology=Topology.NETWORK, exposed=Exposed("192.168.1.5"))


def test_without_a_pod_only_the_orchestrator_has_a_way_out_and_ports() -> None:
    files = quadlets(Host(), APART)
    assert "ai-semble.pod" not in files
    assert values(files["ai-semble-inside.network"], "Internal") == ["true"]
    for service in SERVICES:
        text = files[f"ai-semble-{service}.container"]
        first = service == "orchestrator"
        outside, ports = ["ai-semble.network"], ["127.0.0.1:8080:8080", "192.168.1.5:8443:8443"]
        assert values(text, "Network") == ["ai-semble-inside.network", *(outside if first else [])]
        assert values(text, "PublishPort") == (ports if first else [])
        assert not values(text, "Pod")


def test_without_a_pod_no_two_services_have_a_user_in_common() -> None:
    files = quadlets(Host(), APART)
    maps = [values(files[f"ai-semble-{service}.container"], "UIDMap") for service in SERVICES]
    users = [own.split(":")[1] for _, own in maps]
    assert len({"10001", *users}) == len(SERVICES) + 1
    for service, given in zip(SERVICES, maps, strict=True):
        assert values(files[f"ai-semble-{service}.container"], "GIDMap") == given


def test_without_a_pod_services_find_each_other_by_names_that_they_know_themselves_by() -> None:
    files = quadlets(Host(), APART)
    orchestrator = values(files["ai-semble-orchestrator.container"], "Environment")
    for service, variable in (("llm", "LLM"), ("data-processor", "DATA")):
        line = f"AI_SEMBLE_{variable}__ADDRESS=ai-semble-{service}.dns.podman"
        own = values(files[f"ai-semble-{service}.container"], "Environment")
        assert line in orchestrator
        assert line in own
        assert "AI_SEMBLE_SERVER__HOST=0.0.0.0" in own


def test_podman_4_has_no_separate_containers_and_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("AI_SEMBLE_NETWORK__TOPOLOGY", "network")
    with pytest.raises(InvalidConfiguration, match="needs Podman 5"):
        write(output=tmp_path / "units", backend=Backend.KUBE)
    assert not (tmp_path / "units").exists()
    write(output=tmp_path / "units", dev="/src")
    assert (tmp_path / "units/ai-semble-dev.pod").exists(), "the development pod is one"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("environment", [Environment(), APART], ids=["pod", "network"])
def test_every_container_is_confined(service: str, environment: Environment) -> None:
    text = quadlets(Host(), environment)[f"ai-semble-{service}.container"]
    for key, value in (("ReadOnly", "true"), ("DropCapability", "all"), ("NoNewPrivileges", "true")):
        assert values(text, key) == [value]
    assert values(text, "SeccompProfile") == [f"%E/containers/ai-semble/seccomp/{service}.json"]


def test_limits_that_the_host_does_not_delegate_are_left_out() -> None:
    text = quadlets(Host(limits=frozenset({Controller.CPU})), Environment())["ai-semble-llm.container"]
    assert "--cpus=" in text
    assert "--memory" not in text
    assert "PidsLimit" not in text


@pytest.mark.parametrize(("version", "line"), [("5.4", "PodmanArgs=--memory=8g"), ("5.5", "Memory=8g")])
def test_each_podman_is_told_of_memory_in_its_own_words(version: str, line: str) -> None:
    host = Host(Version.parse(version))
    assert line in quadlets(host, Environment())["ai-semble-llm.container"].splitlines()


def test_a_key_that_a_podman_lacks_and_cannot_be_told_otherwise_is_refused() -> None:
    with pytest.raises(ValueError, match="needs Podman 5"):
        list(entries("Container", [("Pod", "a.pod")], Version(4, 9)))


def test_stopping_takes_less_time_than_systemd_allows_and_more_than_requests_need() -> None:
    text = quadlets(Host(), Environment())["ai-semble-orchestrator.container"]
    stop, limit = int(values(text, "StopTimeout")[0]), int(values(text, "TimeoutStopSec")[0])
    assert 10 < stop < limit


@pytest.mark.parametrize("name", VARIANTS)
def test_systemd_reads_every_unit(name: str) -> None:
    for file, text in VARIANTS[name].files().items():
        if not file.endswith(".yaml"):
            parser = ConfigParser(strict=False, interpolation=None, delimiters=("=",))
            parser.read_string(text)
            assert parser["Unit"]["Description"].startswith("Ai-semble: ")


@pytest.mark.parametrize("name", VARIANTS)
def test_every_file_says_what_it_is_and_how_to_change_it(name: str) -> None:
    for text in VARIANTS[name].files().values():
        head = text.partition("\n\n")[0].replace("\n# ", " ")
        assert head.startswith("# ")
        assert "Made by `ai-semble units render`" in head
        assert "To change it" in head


@pytest.mark.parametrize("text", ["5", "five.four", ""])
def test_what_is_no_version_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(InvalidConfiguration, match="no version of Podman"):
        Version.parse(text)


def test_limits_are_read_from_words() -> None:
    assert parse_limits("none") == frozenset()
    assert parse_limits("cpu, memory") == {Controller.CPU, Controller.MEMORY}
    with pytest.raises(InvalidConfiguration, match="net"):
        parse_limits("cpu,net")
    assert (parse_size(""), parse_size("1536m"), parse_size("8G")) == (None, 1536, 8192)
    assert (parse_cpus(""), parse_cpus("4"), parse_cpus("1.5")) == (None, 4, 1.5)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (parse_size, "8"),
        (parse_size, "0g"),
        (parse_cpus, "0"),
        (parse_cpus, "many"),
        (parse_gpus, "0,1"),
        (parse_gpus, ""),
    ],
)
def test_what_is_no_limit_is_refused_with_a_hint(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(InvalidConfiguration) as raised:
        read(text)
    assert raised.value.hint
