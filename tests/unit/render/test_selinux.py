"""The SELinux module against the table that units are made of: what one names, the other declares."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ai_semble.render.kube import files as kube
from ai_semble.render.quadlet import files as quadlets
from ai_semble.render.table import CONTAINERS, Container
from ai_semble.render.variants import EXPOSED_PORT, Environment, Host, Version
from ai_semble.topology import DATA, NLP, VISION

from .variants import REPOSITORY

MODULE = REPOSITORY / "security" / "selinux" / "ai_semble.cil"
VOLUMES = "/home/you/.local/share/containers/storage/volumes"
FOREIGN = ("other-data", "ai-semble-token", "ai-semble-models-of-mine")

each_container = pytest.mark.parametrize("container", CONTAINERS, ids=lambda one: one.service.name)


def parse(text: str) -> list[Any]:
    """The expressions of a CIL file, as nested lists of words."""
    inside: list[list[Any]] = [[]]
    for word in re.findall(r'"[^"]*"|[()]|[^\s()"]+', re.sub(r";.*", "", text)):
        if word == "(":
            inside.append([])
        elif word == ")":
            done = inside.pop()
            inside[-1].append(done)
        else:
            inside[-1].append(word.strip('"'))
    (whole,) = inside
    return whole


STATEMENTS = parse(MODULE.read_text(encoding="utf-8"))


def called(macro: str) -> set[tuple[str, ...]]:
    """What a macro is called with."""
    return {tuple(words[2]) for words in STATEMENTS if words[:2] == ["call", macro]}


def type_of(volume: str) -> str | None:
    """The type that the file contexts give to what lies in a volume."""
    for word, pattern, _, context in (words for words in STATEMENTS if words[0] == "filecon"):
        assert word == "filecon"
        if re.fullmatch(pattern.replace("HOME_DIR", "/home/you"), f"{VOLUMES}/{volume}/_data/folder/file"):
            return str(context[2])
    return None


@each_container
def test_a_unit_names_the_domain_of_its_service_where_the_module_is(container: Container) -> None:
    name = f"ai-semble-{container.service.name}.container"
    assert "SecurityLabelType" not in quadlets(Host(selinux=True), Environment())[name]
    lines = quadlets(Host(selinux=True, selinux_module=True), Environment())[name].splitlines()
    assert f"SecurityLabelType={container.domain}" in lines


def test_kube_is_told_the_domains_too() -> None:
    host = Host(Version(4, 9), selinux=True, selinux_module=True)
    types = re.findall(r"seLinuxOptions:\n +type: (\w+)", kube(host, Environment())["ai-semble.yaml"])
    assert types == [container.domain for container in CONTAINERS]


@each_container
def test_the_domain_is_one_of_a_container(container: Container) -> None:
    assert ["type", container.domain] in STATEMENTS
    members = [words[2] for words in STATEMENTS if words[:2] == ["typeattributeset", "ai_semble_domain"]]
    assert [container.domain in names for names in members] == [True]
    assert ["typeattributeset", "container_domain", ["ai_semble_domain"]] in STATEMENTS


@each_container
def test_a_domain_has_the_volumes_of_its_container_and_no_other(container: Container) -> None:
    reaches = {
        (volume, macro == "ai_semble_own")
        for macro in ("ai_semble_own", "ai_semble_read")
        for domain, volume in called(macro)
        if domain == container.domain
    }
    assert reaches == {(f"ai_semble_{mount.volume}_file_t", mount.writable) for mount in container.mounts}


@pytest.mark.parametrize("environment", ["default", "dev", "research-2"])
def test_a_relabelling_of_the_system_knows_the_volumes_of_every_environment(environment: str) -> None:
    for volume in ("models", "data", "state"):
        assert type_of(Environment(environment).volume(volume)) == f"ai_semble_{volume}_file_t"
    assert [type_of(volume) for volume in FOREIGN] == [None, None, None]


def test_only_the_orchestrator_and_the_fetcher_of_models_reach_out() -> None:
    always = {"ai_semble_orchestrator_t", "ai_semble_models_fetcher_t"}
    assert {domain for (domain,) in called("ai_semble_reach_out")} == always
    assert ["boolean", "ai_semble_llm_connect_remote", "false"] in STATEMENTS


def test_the_ports_that_the_module_names_are_those_of_the_services() -> None:
    (optional,) = (words for words in STATEMENTS if words[:2] == ["optional", "ai_semble_unnamed_ports"])
    named = {(words[2], words[3][2]) for words in optional if words[0] == "portcon"}
    by_domain = {
        (str(container.service.port), container.domain.removesuffix("_t") + "_port_t")
        for container in CONTAINERS
        if container.service in (VISION, NLP, DATA)
    }
    assert named == by_domain
    assert EXPOSED_PORT == 8443, "http_port_t has that one; name another in the module"
