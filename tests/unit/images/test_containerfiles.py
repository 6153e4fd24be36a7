"""What the Containerfiles and the requirements of images must agree on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from ai_semble import __version__
from ai_semble.topology import SERVICES

CHECKOUT = Path(__file__).parents[3]
CONTAINERS = CHECKOUT / "containers"
FILES = sorted(CONTAINERS.glob("*/Containerfile"))
REQUIREMENTS = sorted(file for file in CONTAINERS.glob("*/requirements*.txt") if "build" not in file.name)


def pins(file: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+==[^ ]+)", file.read_text(encoding="utf-8"), re.MULTILINE))


def outside_images(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)", text, re.MULTILINE))
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
    names = [
        re.sub(r"\$\{(\w+)\}", lambda found: defaults[found[1]], name)
        for name in re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    ]
    return sorted({name for name in names if name not in stages})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_only_the_base_stands_on_an_image_of_others(file: Path) -> None:
    expected = (
        "docker.io/library/debian:trixie-slim"
        if file.parent.name == "base"
        else "localhost/ai-semble/base:latest"
    )
    assert outside_images(file) == [expected]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_labels_tell_the_version_that_is_inside(file: Path) -> None:
    told = re.findall(r'image\.version="([^"]+)"', file.read_text(encoding="utf-8"))
    project = tomllib.loads((file.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(told) == {__version__, project["version"]}


def test_every_service_has_an_image_that_starts_it() -> None:
    commands = [
        line
        for file in FILES
        for line in re.findall(r'^CMD \["([^"]+)"\]', file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(commands) == sorted(service.program for service in SERVICES.values())


def test_the_packages_of_an_image_bring_the_program_that_it_starts() -> None:
    started, brought = set(), set()
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        started |= {(file.parent, name) for name in re.findall(r'^CMD \["([^"]+)"\]', text, re.MULTILINE)}
        project = tomllib.loads((file.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        entries = project.get("scripts", {}).items()
        brought |= {
            (file.parent, name) for name, entry in entries if entry == "ai_semble.cli:main_of_service"
        }
    assert started == brought


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_an_image_changes_no_package_of_the_base(file: Path) -> None:
    """What is installed beside the base's packages is copied over them: another version would lie there twice."""
    assert pins(CONTAINERS / "base" / "requirements.txt") <= pins(file)


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_an_image_has_the_versions_that_are_tested(file: Path) -> None:
    assert pins(file) <= pins(CHECKOUT / "requirements-dev.txt")
