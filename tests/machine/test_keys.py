"""Keys of the pod: made while it runs, asked of everybody when its settings say so, and never of `status`."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.hosts.environment import Installed
from tests.support.attacks import attack


@pytest.fixture(scope="module")
def locked(running: Installed) -> Iterator[Installed]:
    """The pod with `access.required = "always"`."""
    running.configure("access", "required", '"always"')
    try:
        running.deploy("restart")
        yield running
    finally:
        running.configure("access", "required", '"auto"')
        running.deploy("restart")


@attack(
    threat="Somebody without a key calls the pod that asks for keys",
    control='`access.required = "always"` holds in the pod, too',
    file="containers/orchestrator/src/orchestrator/access/layer.py",
)
def test_with_a_key_the_pod_answers_and_without_one_it_does_not(locked: Installed, api: httpx.Client) -> None:
    key = locked.deploy("keys", "create", "pod-test", "--scope", "nlp", "--expires", "1h").stdout.strip()
    assert key.startswith("ais_")
    text = {"text": "hello", "task": "language"}
    assert api.post("/ai/nlp/process", json=text).status_code == 401
    headers = {"Authorization": f"Bearer {key}"}
    assert api.post("/ai/nlp/process", json=text, headers=headers).status_code == 200
    assert "pod-test" in locked.deploy("keys", "list").stdout
    locked.deploy("keys", "revoke", "pod-test")
    assert api.post("/jobs", headers=headers).status_code == 401


def test_status_needs_no_key(locked: Installed) -> None:
    """It ends with 0 only when every service says of itself that it is ready."""
    locked.deploy("status")
    locked.deploy("health")
