"""The user's pip configuration: which package indexes, folders and certificates it names.

Sources: pip's user guide, "Configuration"; uv's reference, "Environment variables".
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_INDEX = "https://pypi.org/simple"  # pip's own; its environments here have no pip to ask
SECTIONS = ("global", "install", "download")
KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "cert")
# The same in uv's words, which go first: who has only uv has configured only uv.
UV = {"UV_INDEX_URL": "index-url", "UV_DEFAULT_INDEX": "index-url", "UV_INDEX": "extra-index-url"}
FALSE = ("", "0", "false", "no", "off")


@dataclass(frozen=True)
class PipSettings:
    """Indexes in the order in which they are asked, folders with wheels, and a certificate file."""

    indexes: tuple[str, ...]
    folders: tuple[Path, ...]
    certificate: Path | None


def read_pip_settings(variables: Mapping[str, str] = os.environ) -> PipSettings:
    """What pip itself would use: its files from the least to the most specific, then PIP_* variables."""
    values: dict[str, str] = {}
    for path in _files(variables):
        values |= _values(path)
    values |= {key: variables[name] for key in KEYS if (name := _variable(key)) in variables}
    values |= {key: variables[name] for name, key in UV.items() if variables.get(name)}
    indexes = [values.get("index-url") or DEFAULT_INDEX, *values.get("extra-index-url", "").split()]
    if values.get("no-index", "").lower() not in FALSE:
        indexes = []
    links = values.get("find-links", "").split()
    return PipSettings(
        indexes=tuple(index for index in indexes if index),
        folders=tuple(
            Path(link.removeprefix("file://")) for link in links if "://" not in link or link[:5] == "file:"
        ),
        certificate=Path(values["cert"]) if values.get("cert") else None,
    )


def _files(variables: Mapping[str, str]) -> Iterator[Path]:
    given = variables.get("PIP_CONFIG_FILE")
    if given == os.devnull:
        return
    home = Path(variables.get("HOME") or Path.home())
    for folder in reversed(variables.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")):
        yield Path(folder) / "pip" / "pip.conf"
    yield Path("/etc/pip.conf")
    yield home / ".pip" / "pip.conf"
    yield Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    yield Path(sys.prefix) / "pip.conf"
    if given:
        yield Path(given)


def _values(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}  # pip says what is wrong with it
    values: dict[str, str] = {}
    for section in SECTIONS:
        if parser.has_section(section):
            values |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    return {key: value for key, value in values.items() if key in KEYS}


def _variable(key: str) -> str:
    return "PIP_" + key.upper().replace("-", "_")
