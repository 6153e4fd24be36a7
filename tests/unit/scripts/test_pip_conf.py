"""An image build finds the package index by the user's own settings, given to it as one file."""

from __future__ import annotations

from pathlib import Path

from index_settings import IndexSettings


def test_variables_and_files_come_together_in_one_file_that_says_the_same(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (tmp_path / "pip.conf").write_text(f"[global]\nfind-links = {wheels}\ntimeout = 7\n")
    variables = {
        "HOME": str(tmp_path),
        "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
        "PIP_INDEX_URL": "https://user:word@mirror.example/simple",
        "PIP_TRUSTED_HOST": "mirror.example",
    }
    settings = IndexSettings.read(variables)
    (tmp_path / "given.conf").write_text(settings.as_pip_conf())
    assert (
        IndexSettings.read({"HOME": "/nowhere", "PIP_CONFIG_FILE": str(tmp_path / "given.conf")}) == settings
    )


def test_folders_of_wheels_are_named_so_that_they_can_be_mounted(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    settings = IndexSettings(
        find_links=("https://mirror.example/wheels", str(tmp_path / "absent")),
        extra_index_urls=(f"file://{tmp_path}/index",),
    )
    told = [line for line in settings.as_pip_conf().splitlines() if line.startswith("# folder: ")]
    assert told == [f"# folder: {tmp_path}/index"]


def test_without_settings_pip_keeps_its_own_index() -> None:
    assert "index-url" not in IndexSettings().as_pip_conf()
