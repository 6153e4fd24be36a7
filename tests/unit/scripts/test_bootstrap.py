"""Environments are made again exactly when something they depend on has changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

import bootstrap
from bootstrap import Environment
from index_settings import IndexSettings, SetupError

LOG_UV = """#!/bin/sh
echo "$*" >> {log}
case "$1" in venv) mkdir -p {venv}/bin && touch {venv}/bin/python;; esac
exit {status}
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment in a private home, with a stub for uv."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("x==1\n")
    environment = Environment(bootstrap.home() / "venv", requirements)
    put_uv(tmp_path, environment, 0)
    monkeypatch.setattr(bootstrap, "ensure_uv", lambda: tmp_path / "uv")
    return environment


def put_uv(folder: Path, environment: Environment, status: int) -> None:
    (folder / "uv").write_text(LOG_UV.format(log=folder / "log", venv=environment.folder, status=status))
    (folder / "uv").chmod(0o755)


def calls(folder: Path) -> list[str]:
    return (folder / "log").read_text().splitlines() if (folder / "log").exists() else []


def test_a_second_run_does_nothing(made: Environment, tmp_path: Path) -> None:
    bootstrap.ensure(made)
    first = calls(tmp_path)
    assert [call.split()[0] for call in first] == ["venv", "pip", "pip"]
    assert "--require-hashes" in first[1]
    assert "--no-build-isolation" in first[2]
    bootstrap.ensure(made)
    assert calls(tmp_path) == first


def test_a_changed_requirement_is_installed(made: Environment, tmp_path: Path) -> None:
    bootstrap.ensure(made)
    made.requirements.write_text("x==2\n")
    bootstrap.ensure(made)
    assert len(calls(tmp_path)) == 6


def test_a_failed_installation_is_tried_again(made: Environment, tmp_path: Path) -> None:
    put_uv(tmp_path, made, 1)
    with pytest.raises(SetupError):
        bootstrap.ensure(made)
    assert not made.is_current()
    put_uv(tmp_path, made, 0)
    bootstrap.ensure(made)
    assert made.is_current()


def test_a_full_disk_is_said_before_anything_is_fetched(
    made: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=5)
    monkeypatch.setattr("bootstrap.shutil.disk_usage", lambda _: full)
    with pytest.raises(SetupError) as caught:
        bootstrap.ensure(made)
    assert "XDG_DATA_HOME" in caught.value.hint
    assert calls(tmp_path) == []
    assert str(bootstrap.explained(IndexSettings(), ["uv", "pip"])) == "the disk is full"


def test_only_a_whole_file_appears(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
        wheel.writestr("bin/tool", "#!/bin/sh\necho hello\n")
    bootstrap.unpack(tmp_path / "a.whl", "bin/tool", tmp_path / "tool")
    assert subprocess.run([tmp_path / "tool"], capture_output=True, text=True, check=True).stdout == "hello\n"
    assert not (tmp_path / "tool.new").exists()


def test_an_unknown_machine_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("bootstrap.platform.machine", lambda: "vax")
    with pytest.raises(SetupError, match="vax machines are not supported"):
        bootstrap.ensure_uv()


def test_a_wrong_word_is_wrong_usage() -> None:
    assert bootstrap.main([]) == 2
    assert bootstrap.main(["nonsense"]) == 2
