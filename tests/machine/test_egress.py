"""`network.egress = "none"`: the pod answers as ever, and nothing of it reaches another machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ai_semble.topology import SERVICES
from tests.hosts.environment import Installed
from tests.machine.reaching import connected, looked_up
from tests.support.attacks import attack


@pytest.fixture(scope="module")
def closed(running: Installed, shared_files: tuple[Path, str]) -> Iterator[Installed]:
    assert connected(running, "orchestrator", shared_files[1]), "it was reached before"
    assert looked_up(running, "orchestrator")
    running.configure("network", "egress", '"none"')
    refused = running.deploy("update", check=False)
    assert "the settings have changed" in refused.stderr, "an update would take them by halves"
    try:
        running.deploy("restart")
        yield running
    finally:
        running.configure("network", "egress", '"guarded"')
        running.deploy("restart")
    assert connected(running, "orchestrator", shared_files[1]), "it is reached again"


@attack(
    threat="A service that was taken over sends data to another machine, or in the names that it looks up",
    control="`network.egress = none`: the pod's network has no way out and no name server",
    file="containers/base/src/ai_semble/render/quadlet.py",
)
def test_no_service_reaches_another_machine(closed: Installed, shared_files: tuple[Path, str]) -> None:
    reached = [service for service in SERVICES if connected(closed, service, shared_files[1])]
    asking = [service for service in SERVICES if looked_up(closed, service)]
    assert (reached, asking) == ([], [])


@pytest.mark.thorough
def test_the_pod_answers_as_ever(closed: Installed, api: httpx.Client) -> None:
    answer = api.post("/ai/nlp/process", json={"text": "Guten Morgen", "task": "language"})
    assert answer.status_code == 200, answer.text


@pytest.mark.thorough
def test_a_url_is_refused_with_the_reason(
    closed: Installed, shared_files: tuple[Path, str], api: httpx.Client
) -> None:
    body = {"image_url": f"{shared_files[1]}/x.png", "task": "classify"}
    problem = api.post("/ai/vision/analyze", json=body).json()
    assert (problem["status"], problem["code"]) == (403, "url_not_allowed")
    assert "network.egress" in problem["hint"]
