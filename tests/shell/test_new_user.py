"""A new user's first minutes: clone, one command, real answers, status, stop. Nothing is faked.

Where the tests run as root, the user is one without rights, since root's rights hide mistakes.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from ai_semble.embedded.process import marked
from ai_semble.topology import SERVICES
from tests.shell.conftest import CHECKOUT
from tests.support.models import models_directory
from tests.support.serving import free_port
from tests.support.worlds import private_variables

pytestmark = pytest.mark.slow  # a whole installation

NETWORK = ("PIP_", "UV_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy")


NOBODY = 65534
IS_ROOT = os.geteuid() == 0


@dataclass(frozen=True)
class NewUser:
    """A home with nothing in it but a clone and the models."""

    clone: Path
    state_dir: Path
    url: str
    variables: dict[str, str]

    def deploy(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.clone / "scripts" / "deploy.sh"), *words]
        options: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if IS_ROOT else {}
        return subprocess.run(
            command,
            env=self.variables,
            cwd=self.clone,
            capture_output=True,
            text=True,
            timeout=540,
            check=False,
            **options,
        )


@pytest.fixture(scope="module")
def user() -> Iterator[NewUser]:
    # Not below pytest's own folder, which only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="ai-semble-new-user-", ignore_cleanup_errors=True) as name:
        made = new_user(Path(name))
        yield made
        made.deploy("stop")


def new_user(folder: Path) -> NewUser:
    clone, models = folder / "ai-semble", folder / "models"
    subprocess.run(["git", "clone", "--quiet", str(CHECKOUT), str(clone)], check=True)
    shutil.copytree(models_directory(), models, symlinks=True)
    ports = {name: free_port() for name in SERVICES}
    variables = {
        **{name: value for name, value in os.environ.items() if name.startswith(NETWORK)},
        **private_variables(folder, models, ports, "http://127.0.0.1:9"),
        "AI_SEMBLE_PYTHON": python_for_everybody(),
    }
    if IS_ROOT:
        subprocess.run(["chown", "--recursive", f"{NOBODY}:{NOBODY}", str(folder)], check=True)
    state_dir = folder / "state" / "ai-semble" / "default"
    return NewUser(clone, state_dir, f"http://127.0.0.1:{ports['orchestrator']}", variables)


def python_for_everybody() -> str:
    """An interpreter that the new user may run: root's own may lie in root's home."""
    return "/usr/bin/python3" if IS_ROOT else sys.executable


@pytest.fixture(scope="module")
def started(user: NewUser) -> NewUser:
    answer = user.deploy("start", "--embedded")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    for name in SERVICES:
        assert name in answer.stdout
    assert "nothing isolates" in answer.stdout
    return user


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/ai/llm/completion", {"prompt": "Hello, how are you?", "max_tokens": 20}),
        ("/ai/nlp/process", {"text": "This is a great product!", "task": "sentiment"}),
        ("/ai/nlp/process", {"text": "東京は日本の首都です。", "task": "entities"}),
        ("/data/process", {"operation": "analyze", "data": {"records": [{"id": 1, "value": 100}]}}),
    ],
    ids=["llm", "nlp", "nlp in Japanese", "data"],
)
def test_the_first_start_ends_with_real_answers(started: NewUser, path: str, body: dict[str, Any]) -> None:
    answer = httpx.post(f"{started.url}{path}", json=body, timeout=120)
    assert answer.status_code == 200, answer.text


def test_a_picture_is_described(started: NewUser) -> None:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    files = {"image": ("red.png", file.getvalue(), "image/png")}
    answer = httpx.post(f"{started.url}/ai/vision/analyze", files=files, timeout=120)
    assert answer.status_code == 200, answer.text
    assert answer.json()["description"]


def test_every_verb_says_that_all_is_well(started: NewUser) -> None:
    status = started.deploy("status")
    assert (status.returncode, "all services are ready" in status.stdout) == (0, True), status.stdout
    health = started.deploy("health", "--json")
    assert (health.returncode, json.loads(health.stdout)["status"]) == (0, "ready")
    logs = started.deploy("logs", "--json", "--lines", "500")
    assert {json.loads(line)["service"] for line in logs.stdout.splitlines()} == set(SERVICES)


def test_nothing_is_written_into_the_clone(started: NewUser) -> None:
    git = ["git", "-c", "safe.directory=*", "-C", str(started.clone)]
    command = [*git, "status", "--porcelain", "--ignored"]
    written = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line for line in written if "__pycache__" not in line] == []


def test_stop_leaves_no_process_and_the_second_start_takes_seconds(started: NewUser) -> None:
    assert started.deploy("stop").returncode == 0
    assert list(marked(started.state_dir)) == []
    began = time.monotonic()
    assert started.deploy("start", "--embedded").returncode == 0
    assert time.monotonic() - began < 60, "it should take a few seconds, also on a busy machine"
