"""Makes the Python environments of a checkout, with nothing but Python >= 3.11: no pip, no venv, no compiler.

    bootstrap.py embedded   the environment that `deploy.sh start --embedded` runs in; prints its folder
    bootstrap.py dev        .venv of the checkout, for the tests; prints its folder
    bootstrap.py room       whether there is room for the first of these and the models that it needs
    bootstrap.py uv         only uv, the installer; prints its path
    bootstrap.py reach      whether the package index answers

Everything is pinned by hash. When nothing has changed it takes a tenth of a second; an interrupted run goes
on at the next one, as finished downloads stay in uv's cache.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from index_settings import IndexSettings, SetupError
from package_index import PackageIndex
from room import PACKAGES_BYTES, missing_models, models_folder, packages, require

CHECKOUT = Path(__file__).resolve().parents[2]
MEMBERS = ("base", "orchestrator", "ai-services", "data-processor")
PINS = Path(__file__).with_name("pins.toml")
STAMP = "ai-semble.stamp"


@dataclass(frozen=True)
class Environment:
    """A Python environment with the packages of a requirements file and the checkout's own, editable."""

    folder: Path
    requirements: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def members(self) -> list[Path]:
        return [CHECKOUT / "containers" / name for name in MEMBERS]

    def wanted_stamp(self) -> str:
        """Changes with everything that the environment depends on."""
        digest = hashlib.sha256(f"{base_python()}\n{sys.version}\n{CHECKOUT}\n".encode())
        for file in (self.requirements, PINS, *(member / "pyproject.toml" for member in self.members)):
            digest.update(file.read_bytes() + b"\0")
        return digest.hexdigest()

    def is_current(self) -> bool:
        stamp = self.folder / STAMP
        return self.python.exists() and stamp.exists() and stamp.read_text() == self.wanted_stamp()


def environments() -> dict[str, Environment]:
    return {
        "embedded": Environment(home() / "venv", CHECKOUT / "containers" / "requirements-embedded.txt"),
        "dev": Environment(CHECKOUT / ".venv", CHECKOUT / "requirements-dev.txt"),
    }


def home() -> Path:
    """Where the embedded mode keeps its tools."""
    data = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data) if data.startswith("/") else Path.home() / ".local" / "share"
    return base / "ai-semble" / "embedded"


def base_python() -> str:
    """The interpreter itself, also when this runs in an environment made from it."""
    return os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


def ensure(environment: Environment) -> Path:
    """Make the environment, or bring it up to date."""
    if environment.is_current():
        return environment.folder
    with installing():
        if not environment.is_current():
            if not environment.python.exists():
                require([packages(environment.folder.parent)])
            install(environment, ensure_uv())
    return environment.folder


def install(environment: Environment, uv: Path) -> None:
    count = environment.requirements.read_text(encoding="utf-8").count("==")
    say(f"Installing {count} packages, pinned by hash ({PACKAGES_BYTES / 1e9:.1f} GB on disk)")
    (environment.folder / STAMP).unlink(missing_ok=True)
    run_uv(uv, "venv", "--quiet", "--clear", "--python", base_python(), str(environment.folder))
    python = ("--python", str(environment.python))
    run_uv(
        uv,
        "pip",
        "sync",
        *python,
        "--require-hashes",
        "--only-binary",
        ":all:",
        str(environment.requirements),
    )
    editable = [word for member in environment.members for word in ("-e", str(member))]
    run_uv(uv, "pip", "install", "--quiet", *python, "--no-deps", "--no-build-isolation", *editable)
    (environment.folder / STAMP).write_text(environment.wanted_stamp())


def ensure_uv() -> Path:
    """The pinned uv, fetched from the user's package index where it is not there yet."""
    pins = tomllib.loads(PINS.read_text(encoding="utf-8"))["uv"]
    folder = home() / f"uv-{pins['version']}"
    if (folder / "uv").exists():
        return folder / "uv"
    wheel = pins["wheels"].get(platform.machine())
    if wheel is None:
        machines = ", ".join(pins["wheels"])
        raise SetupError(f"{platform.machine()} machines are not supported", f"Use one of: {machines}.")
    folder.mkdir(parents=True, exist_ok=True)
    say(f"Fetching uv {pins['version']}, the installer")
    index = PackageIndex(IndexSettings.read(os.environ))
    archive = index.fetch("uv", wheel["file"], wheel["sha256"], folder)
    unpack(archive, f"uv-{pins['version']}.data/scripts/uv", folder / "uv")
    archive.unlink()
    return folder / "uv"


def unpack(archive: Path, member: str, target: Path) -> None:
    """One file of a wheel, appearing only when it is whole."""
    new = target.with_name(target.name + ".new")
    with zipfile.ZipFile(archive) as wheel, wheel.open(member) as source, new.open("wb") as file:
        shutil.copyfileobj(source, file)
    new.chmod(0o755)
    new.replace(target)


def run_uv(uv: Path, *words: str) -> None:
    settings = IndexSettings.read(os.environ)
    variables = {**link_mode(), **settings.uv_variables(os.environ)}
    # An active environment of the user's must not be the one that is changed.
    variables.pop("VIRTUAL_ENV", None)
    if run_showing([str(uv), *words], variables) != 0:
        raise explained(settings, [uv.name, *words[:2]])


def link_mode() -> dict[str, str]:
    """uv links files out of its cache, and warns where it cannot: from one file system to another."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache.mkdir(parents=True, exist_ok=True)
    return {} if cache.stat().st_dev == home().stat().st_dev else {"UV_LINK_MODE": "copy"}


def run_showing(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run uv: on a terminal with its bars, elsewhere as lines without the long list of what was installed."""
    shown = None if sys.stderr.isatty() else subprocess.PIPE
    process = subprocess.Popen(  # noqa: S603 - our own uv
        command, env=variables, cwd=CHECKOUT, stdout=sys.stderr, stderr=shown, text=True
    )
    with process:
        for line in process.stderr or ():
            if not line.startswith((" + ", " - ", " ~ ", " Downloaded")):
                say(line.rstrip())
    return process.returncode


def explained(settings: IndexSettings, words: Sequence[str]) -> SetupError:
    """Why uv failed, as far as that can be found out afterwards."""
    if shutil.disk_usage(home()).free < PACKAGES_BYTES // 20:
        return SetupError("the disk is full", "Free some space, then run the same command again; it goes on.")
    try:
        PackageIndex(settings).reach()
    except SetupError as error:
        return error
    return SetupError(
        f"{' '.join(words)} failed",
        "The lines above say why. Run the same command again: it goes on from here.",
    )


def check_room() -> None:
    """Raises SetupError when what a first start fetches does not fit, packages and models together."""
    embedded = environments()["embedded"]
    if not embedded.python.exists():
        require([packages(home()), *missing_models(models_folder(home().parent))])


@contextmanager
def installing() -> Iterator[None]:
    """One installation at a time."""
    home().mkdir(parents=True, exist_ok=True)
    with (home() / "install.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another installation to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def act(word: str) -> str:
    if word == "uv":
        with installing():
            return str(ensure_uv())
    if word == "room":
        check_room()
        return ""
    if word == "reach":
        PackageIndex(IndexSettings.read(os.environ)).reach()
        return ""
    return str(ensure(environments()[word]))


def main(words: list[str]) -> int:
    if len(words) != 1 or words[0] not in ("embedded", "dev", "room", "uv", "reach"):
        say(__doc__ or "")
        return 2
    try:
        print(act(words[0]))
    except SetupError as error:
        say(f"error: {error}\nhint:  {error.hint}")
        return 1
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        say("error: the disk is full\nhint:  Free some space, then run the same command again.")
        return 1
    except KeyboardInterrupt:
        say("\ninterrupted; the same command goes on from here")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
