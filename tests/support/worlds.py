"""The worlds that the one integration suite runs in: services as threads, or as a user starts them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ai_semble.config import SECTION_NAMES
from ai_semble.loading import load_config
from ai_semble.serve import create_runtime
from ai_semble.topology import ORCHESTRATOR, SERVICES, UPSTREAMS
from tests.support.files import serving_files
from tests.support.serving import free_port, serving


@dataclass(frozen=True)
class World:
    """A running environment, and a file server whose URLs it may fetch."""

    target: str
    url: str
    ports: Mapping[str, int]
    files: Path
    files_url: str
    variables: Mapping[str, str]

    @property
    def slowness(self) -> int:
        """How many times as long as usual everything takes."""
        return 1

    @property
    def private_folder(self) -> Path:
        """Holds the home and every XDG folder of this environment."""
        return Path(self.variables["HOME"]).parent

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `ai-semble` as the user of this environment would."""
        return subprocess.run(
            [ai_semble(), *words],
            env=dict(self.variables),
            check=check,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def state(self) -> dict[str, Any]:
        """What the supervisor says of its services (embedded only)."""
        state: dict[str, Any] = json.loads(self.command("embedded", "status", "--json").stdout)
        return state

    def knock(self, service: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What a service answers to somebody who comes past the orchestrator, without the token."""
        answer = httpx.post(f"http://127.0.0.1:{self.ports[service]}{path}", json=body, timeout=60)
        problem: dict[str, Any] = answer.json()
        return problem

    def written_files(self) -> list[str]:
        """Every file that the services and their libraries have written."""
        return [str(path) for path in self.private_folder.rglob("*")]

    def processes(self) -> dict[str, int]:
        """The process of each service; 0 while it has none or is too busy to say it."""
        services = httpx.get(f"{self.url}/health", timeout=60).json()["services"]
        return {name: service["pid"] or 0 for name, service in services.items()}

    def signal(self, service: str, number: signal.Signals) -> None:
        """Send a signal to a service's process, as somebody would who means it ill."""
        os.kill(self.processes()[service], number)

    def logs(self) -> str:
        """The end of each service's log, for a failure's report."""
        folder = Path(self.variables["XDG_STATE_HOME"]) / "ai-semble" / "default" / "logs"
        parts = []
        for file in sorted(folder.glob("*.log")) if folder.exists() else []:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
            parts.append(f"\n--- {file.name}\n" + "\n".join(lines))
        return "".join(parts)


def ai_semble() -> str:
    """The command of the environment that runs the tests."""
    return str(Path(sys.executable).with_name("ai-semble"))


@contextmanager
def world(target: str, folder: Path, models: Path, hung_after_s: float = 6) -> Iterator[World]:
    """A fresh environment of the target kind, stopped at the end whatever happened."""
    files = folder / "files"
    files.mkdir(parents=True)
    with serving_files(files) as files_url:
        ports = {name: free_port() for name in SERVICES}
        variables = private_variables(folder, models, ports, files_url, hung_after_s)
        made = World(
            target,
            f"http://127.0.0.1:{ports[ORCHESTRATOR.name]}",
            ports,
            files,
            files_url,
            variables,
        )
        with in_process(made) if target == "inprocess" else embedded(made):
            yield made


def private_variables(
    folder: Path, models: Path, ports: Mapping[str, int], files_url: str, hung_after_s: float = 6
) -> dict[str, str]:
    """An environment of variables in which nothing of the user's own is read or written."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(folder / "home"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "AI_SEMBLE_MODELS__DIRECTORY": str(models),
        "AI_SEMBLE_EMBEDDED__HUNG_AFTER_S": f"{hung_after_s:g}",
        "AI_SEMBLE_FETCH__ALLOWED_PRIVATE_HOSTS": files_url.removeprefix("http://"),
        **{
            f"AI_SEMBLE_{SECTION_NAMES.get(name, name).upper()}__PORT": str(port)
            for name, port in ports.items()
        },
        **({"COVERAGE_PROCESS_START": value} if (value := os.environ.get("COVERAGE_PROCESS_START")) else {}),
    }


@contextmanager
def in_process(made: World) -> Iterator[None]:
    """Every service in a thread of this process, on its own port."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_variables(made.variables))
        config = load_config()
        for name in [*UPSTREAMS, ORCHESTRATOR.name]:
            app = SERVICES[name].create_app(create_runtime(name, config))
            stack.enter_context(serving(app, port=made.ports[name]))
        yield


@contextmanager
def embedded(made: World) -> Iterator[None]:
    """Every service as a supervised process, as `deploy.sh start --embedded` does."""
    try:
        started = made.command("embedded", "up", check=False)
        if started.returncode != 0:
            raise RuntimeError(f"embedded up failed:\n{started.stdout}{started.stderr}{made.logs()}")
        yield
    finally:
        made.command("embedded", "down", check=False)
        shutil.rmtree(made.variables["XDG_STATE_HOME"], ignore_errors=True)


@contextmanager
def _variables(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
