"""What the documents tell to type works, and answers as they show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.docs.answers import ELLIPSIS, differences, parse, values
from tests.docs.pages import ENGLISH, REPOSITORY, Block, blocks, read
from tests.docs.terminal import folder_like_the_checkout, type_in
from tests.support.fake_service import wait_until
from tests.support.worlds import World
from tests.support.worlds import world as open_world

# tests/unit/exposure/test_door.py asks for it.
ONLY_WITH_A_CERTIFICATE = {"ai_semble_certificate_expiry_timestamp_seconds"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, models_dir: str) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("documents")
    with open_world("inprocess", folder, Path(models_dir)) as made:
        picture = REPOSITORY / "docs" / "images" / "astronaut.jpg"
        (made.files / "image.jpg").write_bytes(picture.read_bytes())
        wait_until(lambda: health(made)["status"] == "ready", "every service is ready", 120)
        yield made


def health(made: World) -> dict[str, Any]:
    told: dict[str, Any] = httpx.get(f"{made.url}/health", timeout=60).json()
    return told


def typed(page: str, language: str) -> list[Block]:
    """The blocks of a page that are run here. Commands of the scripts are checked in `test_commands.py`."""
    found = (block for block in blocks(page) if block.language == language and block.is_run)
    return [block for block in found if "./scripts/" not in block.text]


def typed_pages() -> list[tuple[str, str]]:
    return [(page, language) for language in ("bash", "python") for page in ENGLISH if typed(page, language)]


@pytest.mark.parametrize(("page", "language"), typed_pages())
def test_every_call_of_a_page_answers_as_shown(
    page: str, language: str, world: World, tmp_path: Path
) -> None:
    shown = blocks(page)
    wrong = [
        f"{page}:{printed.block.line}: {words}"
        for printed in type_in(language, typed(page, language), world, folder_like_the_checkout(tmp_path))
        for words in unlike(printed.text, answer_to(printed.block, shown))
    ]
    assert wrong == []


def answer_to(block: Block, shown: list[Block]) -> Block | None:
    """The block behind the commands, if it shows an answer."""
    following = shown[shown.index(block) + 1 :][:1]
    return following[0] if following and following[0].language in ("json", "text") else None


def unlike(text: str, answer: Block | None) -> list[str]:
    """How what was printed is not what the page shows."""
    came = objects(text)
    is_object = answer is not None and answer.language == "json"
    others = came[:-1] if is_object else came
    wrong = [f"answered {value}" for value in others if "urn:ai-semble:problem" in str(value)]
    if answer is None or wrong:
        return wrong
    varies = answer.mark == "words vary"
    if is_object:
        return list(differences(parse(answer.text), came[-1] if came else text, only_shape=varies))
    is_shown = varies or ELLIPSIS in answer.text or answer.text in text
    return [] if is_shown else [f"printed {text!r}, and {answer.text!r} is shown"]


def objects(text: str) -> list[Any]:
    """The JSON objects in an output; none when it is something else."""
    try:
        return values(text)
    except json.JSONDecodeError:
        return []


def test_every_metric_of_the_documents_exists(world: World) -> None:
    text = httpx.get(f"{world.url}/metrics", timeout=30).text
    named = set(re.findall(r"\bai_semble_[a-z_]+\b", read("docs/howto/monitor.md")))
    offered = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    assert named - offered == ONLY_WITH_A_CERTIFICATE
