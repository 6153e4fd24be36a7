"""A new user's first minutes: clone, one command, real answers, status, stop. Nothing is faked."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from ai_semble.embedded.process import marked
from ai_semble.topology import SERVICES
from tests.shell.conftest import CHECKOUT
from tests.support.models import models_directory
from tests.support.serving import free_port
from tests.support.worlds import private_variables

pytestmark = pytest.mark.slow  # a whole installation

NETWORK = ("PIP_", "UV_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy")


@dataclass(frozen=True)
class NewUser:
    """A home with nothing in it but a clone. Packages come from the cache of whoever runs the tests."""

    clone: Path
    state_dir: Path
    url: str
    variables: dict[str, str]

    def deploy(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.clone / "scripts" / "deploy.sh"), *words]
        return subprocess.run(
            command,
            env=self.variables,
            cwd=self.clone,
            capture_output=True,
            text=True,
            timeout=540,
            check=False,
        )


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewUser]:
    folder = tmp_path_factory.mktemp("new-user")
    clone = folder / "ai-semble"
    subprocess.run(["git", "clone", "--quiet", str(CHECKOUT), str(clone)], check=True)
    ports = {name: free_port() for name in SERVICES}
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    network = {name: value for name, value in os.environ.items() if name.startswith(NETWORK)}
    variables = {
        **network,
        **private_variables(folder, models_directory(), ports, "http://127.0.0.1:9"),
        "UV_CACHE_DIR": f"{cache}/uv",
    }
    state_dir = folder / "state" / "ai-semble" / "default"
    made = NewUser(clone, state_dir, f"http://127.0.0.1:{ports['orchestrator']}", variables)
    yield made
    made.deploy("stop")


@pytest.fixture(scope="module")
def started(user: NewUser) -> NewUser:
    answer = user.deploy("start", "--embedded")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    for name in SERVICES:
        assert name in answer.stdout
    assert "nothing isolates" in answer.stdout
    return user


def test_the_first_start_ends_with_real_answers(started: NewUser) -> None:
    body = {"text": "This is a great product!", "task": "sentiment"}
    answer = httpx.post(f"{started.url}/ai/nlp/process", json=body, timeout=120)
    assert answer.json()["result"]["label"] == "positive"


def test_every_verb_says_that_all_is_well(started: NewUser) -> None:
    status = started.deploy("status")
    assert (status.returncode, "all services are ready" in status.stdout) == (0, True), status.stdout
    health = started.deploy("health", "--json")
    assert (health.returncode, json.loads(health.stdout)["status"]) == (0, "ready")
    logs = started.deploy("logs", "--json", "--lines", "500")
    assert {json.loads(line)["service"] for line in logs.stdout.splitlines()} == set(SERVICES)


def test_nothing_is_written_into_the_clone(started: NewUser) -> None:
    command = ["git", "-C", str(started.clone), "status", "--porcelain", "--ignored"]
    written = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line for line in written if "__pycache__" not in line] == []


def test_stop_leaves_no_process_and_the_second_start_takes_seconds(started: NewUser) -> None:
    assert started.deploy("stop").returncode == 0
    assert list(marked(started.state_dir)) == []
    began = time.monotonic()
    assert started.deploy("start", "--embedded").returncode == 0
    assert time.monotonic() - began < 60, "it should take a few seconds, also on a busy machine"
