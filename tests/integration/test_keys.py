"""A key is made beside the running environment, limited, replaced, taken back; without one nothing changes."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.support.worlds import World

NLP = "/ai/nlp/process"
TEXT = {"text": "This is a great product!", "task": "language"}
DEADLINE_S = 120


@pytest.fixture
def name(world: World) -> Iterator[str]:
    made = f"test-{uuid.uuid4().hex[:8]}"
    yield made
    world.command("keys", "revoke", made, check=False)


def create(world: World, name: str, *options: str) -> str:
    return world.command("keys", "create", name, *options).stdout.strip()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_key_reaches_as_far_as_its_scopes(api: httpx.Client, world: World, name: str) -> None:
    headers = bearer(create(world, name, "--scope", "nlp", "--scope", "health", "--expires", "1h"))
    assert api.post(NLP, json=TEXT, headers=headers).status_code == 200
    assert api.get("/health", headers=headers).status_code == 200
    refused = api.post("/ai/llm/completion", json={"prompt": "hi"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")


def test_a_key_is_limited_replaced_and_taken_back(api: httpx.Client, world: World, name: str) -> None:
    first = bearer(create(world, name, "--requests-per-minute", "3"))
    statuses = [api.post(NLP, json=TEXT, headers=first).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    rotated: dict[str, Any] = json.loads(world.command("keys", "rotate", name, "--json").stdout)
    wait_until(lambda: api.post(NLP, json=TEXT, headers=first).status_code == 401)
    second = bearer(rotated["key"])
    assert api.post(NLP, json=TEXT, headers=second).status_code == 429, "another secret is no other budget"
    world.command("keys", "revoke", name)
    wait_until(lambda: api.post(NLP, json=TEXT, headers=second).status_code == 401)
    assert api.post(NLP, json=TEXT).status_code == 200, "on loopback no key is needed"


def test_tokens_of_a_real_answer_are_counted(api: httpx.Client, world: World, name: str) -> None:
    """A call holds hundreds of tokens while it runs, and pays for the few that it used."""
    key = bearer(create(world, name, "--tokens-per-minute", "600"))
    ask = {"prompt": "Say hello.", "max_tokens": 4}
    used, statuses = 0, []
    for _ in range(30):
        answer = api.post("/ai/llm/completion", json=ask, headers=key)
        statuses.append(answer.status_code)
        if answer.status_code != 200:
            break
        used += answer.json()["usage"]["total_tokens"]
    assert statuses[-1] == 429
    assert statuses.count(200) > 2
    assert used <= 600


def test_a_job_is_its_key_s_alone(api: httpx.Client, world: World, name: str) -> None:
    mine = bearer(create(world, name, "--scope", "nlp", "--scope", "jobs"))
    job = api.post(NLP, json=TEXT, headers={**mine, "Prefer": "respond-async"}).json()
    assert job["owner"] == mine["Authorization"].split("_")[1]
    assert api.get(f"/jobs/{job['id']}", params={"wait_s": 30}, headers=mine).json()["state"] == "succeeded"
    other, admin = f"{name}-other", f"{name}-all"
    try:
        others = bearer(create(world, other))
        refused = api.get(f"/jobs/{job['id']}/result", headers=others)
        assert (refused.status_code, refused.json()["code"]) == (404, "job_not_found")
        assert job["id"] not in api.get("/jobs", headers=others).text
        for_all = bearer(create(world, admin, "--scope", "all-jobs"))
        assert job["id"] in api.get("/jobs", headers=for_all).text
        assert api.get(f"/jobs/{job['id']}").status_code == 200, "on loopback no key is needed"
    finally:
        for made in (other, admin):
            world.command("keys", "revoke", made, check=False)


def test_what_the_list_shows_opens_nothing(world: World, name: str) -> None:
    key = create(world, name)
    listed = world.command("keys", "list", "--json").stdout
    assert name in listed
    assert key.rpartition("_")[2] not in listed
