"""A first embedded start counts packages and models together, before it fetches anything."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import bootstrap
import room
from ai_services.models.catalogue import load_catalogue
from index_settings import SetupError
from room import Need

GB = 1_000_000_000


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private home, in which nothing is installed; returns where our things lie."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("AI_SEMBLE_CONFIG", raising=False)
    monkeypatch.delenv("AI_SEMBLE_MODELS__DIRECTORY", raising=False)
    return tmp_path / "data" / "ai-semble"


def leave(free: float, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every disk have so many GB left."""
    usage = shutil.disk_usage(folder)._replace(free=int(free * GB))
    monkeypatch.setattr("room.shutil.disk_usage", lambda _: usage)


def install_models(folder: Path) -> None:
    for model in load_catalogue().defaults():
        (folder / model.name).mkdir(parents=True)
        (folder / model.name / "manifest.json").touch()


def test_room_for_the_packages_alone_is_not_enough_for_a_first_start(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(1.7, tmp_path, monkeypatch)
    assert bootstrap.main(["room"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"error: {data / 'embedded'} has 1.7 GB left; 2.1 GB are needed: 1.6 GB for packages, 0.5 GB for models",
        "hint:  Free some space there, or set XDG_DATA_HOME (models.directory) to a folder on a larger disk.",
    ]
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_needs_no_room(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(1.7, tmp_path, monkeypatch)
    install_models(data / "models")
    bootstrap.check_room()
    leave(0.001, tmp_path, monkeypatch)
    with pytest.raises(SetupError, match=r"1\.6 GB for packages$"):
        bootstrap.check_room()
    python = bootstrap.environments()["embedded"].python
    python.parent.mkdir(parents=True)
    python.touch()
    bootstrap.check_room()


def test_models_are_counted_as_the_catalogue_has_them(tmp_path: Path) -> None:
    sizes = {model.name: model.size or 0 for model in load_catalogue().defaults()}
    assert room.missing_models(tmp_path) == [
        Need("models", tmp_path, sum(sizes.values()) + room.AT_ONCE_BYTES)
    ]
    there = "smollm2-135m-instruct"
    (tmp_path / there).mkdir()
    (tmp_path / there / "manifest.json").touch()
    [rest] = room.missing_models(tmp_path)
    assert rest.size == sum(sizes.values()) - sizes[there] + room.AT_ONCE_BYTES
    assert room.size_of({"default": True, "source": "x", "size": 7}) == 7


def test_models_elsewhere_are_looked_for_there(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(1.7, tmp_path, monkeypatch)
    install_models(tmp_path / "mine")
    settings = tmp_path / "config" / "ai-semble" / "ai-semble.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f'[models]\ndirectory = "{tmp_path / "mine"}"\n')
    bootstrap.check_room()
    settings.write_text("not toml")
    with pytest.raises(SetupError, match="for models"):
        bootstrap.check_room()
    monkeypatch.setenv("AI_SEMBLE_MODELS__DIRECTORY", str(tmp_path / "mine"))
    bootstrap.check_room()


def test_each_disk_is_asked_for_its_own_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = Need("packages", tmp_path, GB), Need("models", Path("/proc"), GB)
    leave(1.5, tmp_path, monkeypatch)
    room.require([here, there])
    with pytest.raises(SetupError, match=r"2\.0 GB are needed"):
        room.require([here, Need("models", tmp_path / "not" / "yet", GB)])
