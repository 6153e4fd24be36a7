"""The room on the disk that the embedded mode takes: packages and models, counted before anything is fetched.

Only what Python brings along is used: nothing else is there yet.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index_settings import SetupError

CATALOGUE = Path(__file__).resolve().parents[2] / "containers/ai-services/src/ai_services/models/models.toml"
PACKAGES_BYTES = 1_600_000_000
# While a model is put together its archive, what was unpacked of it and the result are there at once.
AT_ONCE_BYTES = 200_000_000


@dataclass(frozen=True)
class Need:
    """So many bytes for something in a folder that need not exist yet."""

    what: str
    folder: Path
    size: int


def require(needs: Iterable[Need]) -> None:
    """Raises SetupError when a disk has less room than all that goes to it needs."""
    disks: dict[int, list[Need]] = {}
    for need in needs:
        disks.setdefault(existing(need.folder).stat().st_dev, []).append(need)
    for sharing in disks.values():
        free = shutil.disk_usage(existing(sharing[0].folder)).free
        needed = sum(need.size for need in sharing)
        if free < needed:
            parts = ", ".join(f"{need.size / 1e9:.1f} GB for {need.what}" for need in sharing)
            raise SetupError(
                f"{sharing[0].folder} has {free / 1e9:.1f} GB left; {needed / 1e9:.1f} GB are needed: {parts}",
                "Free some space there, or set XDG_DATA_HOME (models.directory) to a folder on a larger disk.",
            )


def packages(folder: Path) -> Need:
    """What a Python environment in the folder takes."""
    return Need("packages", folder, PACKAGES_BYTES)


def missing_models(folder: Path) -> list[Need]:
    """What the default models take that are not in the folder; nothing when all are."""
    missing = [
        table
        for name, table in tomllib.loads(CATALOGUE.read_text("utf-8"))["models"].items()
        if table.get("default") and not is_there(folder / name / "manifest.json")
    ]
    return [Need("models", folder, sum(map(size_of, missing)) + AT_ONCE_BYTES)] if missing else []


def size_of(model: Mapping[str, Any]) -> int:
    """Bytes of a model's files; one with a single file may say it beside its name."""
    files = [*model.get("files", {}).values(), model]
    return sum(file.get("size", 0) for file in files if isinstance(file, dict))


def models_folder(data: Path, variables: Mapping[str, str] = os.environ) -> Path:
    """Where models go by the user's settings; what is wrong with these is said by who reads all of them."""
    if given := variables.get("AI_SEMBLE_MODELS__DIRECTORY"):
        return Path(given)
    base = variables.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    file = Path(variables.get("AI_SEMBLE_CONFIG") or Path(base) / "ai-semble" / "ai-semble.toml")
    try:
        settings = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        settings = {}
    match settings:
        case {"models": {"directory": str(folder)}}:
            return Path(folder)
        case _:
            return data / "models"


def is_there(path: Path) -> bool:
    """Unlike `Path.exists`, False also where nobody may look."""
    return os.path.exists(path)  # noqa: PTH110


def existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    folder = folder.absolute()
    while not is_there(folder):
        folder = folder.parent
    return folder
