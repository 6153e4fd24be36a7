"""Environments of Python with wheels of ours, and of others only what those declare to need; without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

REPOSITORY = Path(__file__).parents[2]
_BUILD = "import sys; from flit_core.buildapi import build_wheel; print(build_wheel(sys.argv[1]))"


def wheel_of(project: Path, folder: Path) -> Path:
    """The wheel of a package of ours, built as `pip install` does."""
    command = [sys.executable, "-c", _BUILD, str(folder)]
    built = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
    return folder / built.stdout.split()[-1]


def environment_with(folder: Path, *wheels: Path) -> Path:
    """A fresh environment; returns its folder of programs. The wheels are installed in their order."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--offline", "--python", sys.executable, folder], check=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    python = folder / "bin" / "python"
    for wheel in wheels:
        install: list[str | Path] = [
            uv,
            "pip",
            "install",
            "--quiet",
            "--offline",
            "--no-deps",
            "--python",
            python,
            wheel,
        ]
        subprocess.run(install, check=True, env={**os.environ, "UV_NO_CONFIG": "1"})
        for name in needed(_requirements(wheel, python), set()):
            _link(distribution(name), site)
    return folder / "bin"


def needed(requirements: list[str], known: set[str]) -> set[str]:
    """Names of all distributions that these need, directly or not."""
    for text in requirements:
        one = Requirement(text)
        name = one.name.lower().replace("_", "-")
        if name in known or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        known.add(name)
        needed(distribution(name).requires or [], known)
    return known


def _requirements(wheel: Path, python: Path) -> list[str]:
    name = wheel.name.partition("-")[0]
    asked = f"from importlib.metadata import requires; print(*(requires({name!r}) or []), sep='\\n')"
    told = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True)
    return told.stdout.splitlines()


def _link(package: Distribution, site: Path) -> None:
    tops = {Path(str(file)).parts[0] for file in package.files or ()} - {".."}
    for top in tops:
        target = Path(str(package.locate_file(top)))
        if target.exists() and not (site / top).exists():
            (site / top).symlink_to(target)
