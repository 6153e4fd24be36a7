"""An orchestrator with a door for other machines, in a process of its own, as `ai-semble serve` starts it."""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.certificates import Pair
from tests.support.raw_http import wait_until
from tests.support.serving import free_port

START_S = 60


@dataclass(frozen=True)
class Exposed:
    """The ports of both doors, the key that opens the outer one, and its certificate, if it has one."""

    port: int
    outer_port: int
    key: str
    pair: Pair | None
    variables: dict[str, str]

    @property
    def outer_url(self) -> str:
        return f"http{'s' if self.pair else ''}://127.0.0.1:{self.outer_port}"

    @property
    def state(self) -> Path:
        return Path(self.variables["XDG_STATE_HOME"]) / "ai-semble" / "default"

    def run(self, *words: str, stdin: bytes = b"", check: bool = True) -> subprocess.CompletedProcess[bytes]:
        return run(self.variables, *words, stdin=stdin, check=check)

    def trusting(self) -> ssl.SSLContext | bool:
        return ssl.create_default_context(cafile=str(self.pair.certificate)) if self.pair else True

    def inner(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30)

    def outer(self, key: str | None = None, **headers: str) -> httpx.Client:
        shown = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(
            base_url=self.outer_url, headers=shown | headers, timeout=30, verify=self.trusting()
        )


def run(
    variables: dict[str, str], *words: str, stdin: bytes = b"", check: bool = True
) -> subprocess.CompletedProcess[bytes]:
    """`ai-semble WORD...` as the user whose variables these are."""
    command = [sys.executable, "-m", "ai_semble.cli", *words]
    return subprocess.run(
        command, env=variables, input=stdin, capture_output=True, timeout=START_S, check=check
    )


def private_variables(folder: Path, **settings: str) -> dict[str, str]:
    """Those of a user with nothing; `expose__port="8443"` becomes a variable."""
    kinds = {f"XDG_{kind.upper()}_HOME": str(folder / kind) for kind in ("config", "data", "state", "cache")}
    given = {f"AI_SEMBLE_{name.upper()}": value for name, value in settings.items()}
    base = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
    # Nothing is here but the orchestrator.
    services = {f"AI_SEMBLE_{name}__PORT": str(free_port()) for name in ("LLM", "VISION", "NLP", "DATA")}
    return base | kinds | services | given


@contextmanager
def exposed(folder: Path, pair: Pair | None = None, **settings: str) -> Iterator[Exposed]:
    """On 127.0.0.1 unless the settings say otherwise; it is stopped at the end."""
    port, outer_port = free_port(), free_port()
    ports = {"orchestrator__port": str(port), "expose__port": str(outer_port)}
    variables = private_variables(folder, **({"expose__address": "127.0.0.1"} | ports | settings))
    key = run(variables, "keys", "create", "test").stdout.decode().strip()
    if pair is not None:
        run(variables, "certificate", "install", stdin=pair.pem)
    with (folder / "serve.log").open("wb") as log:
        serving = subprocess.Popen(
            [sys.executable, "-m", "ai_semble.cli", "serve", "orchestrator"],
            env=variables,
            stdout=log,
            stderr=log,
        )
    made = Exposed(port, outer_port, key, pair, variables)
    try:
        wait_until(lambda: answers(made, serving), "the orchestrator answers", START_S)
        yield made
    finally:
        serving.terminate()
        serving.wait(START_S)


def answers(made: Exposed, serving: subprocess.Popen[bytes]) -> bool:
    assert serving.poll() is None, "the orchestrator ended"
    with contextlib.suppress(httpx.TransportError), made.outer() as outer:
        return outer.get("/health/live").status_code == 200
    return False
