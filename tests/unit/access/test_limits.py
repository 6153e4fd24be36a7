"""Limits hold when 200 callers come at once, and after a restart."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.access.budgets import Budgets
from orchestrator.access.errors import RateLimitExceeded
from orchestrator.access.keys import Key, Limits
from tests.support.attacks import attack
from tests.support.serving import free_port
from tests.support.upstream import Exchange, answering
from tests.unit.access.conftest import Door, bearer, door, wait_until

NLP, COMPLETION, CHAT = "/ai/nlp/process", "/ai/llm/completion", "/v1/chat/completions"
CALLERS = 200
ASK = {"prompt": "hi", "max_tokens": 10}


def at_once(url: str, key: str, path: str, body: Any = None) -> Counter[int]:
    """The statuses that 200 callers get, each with a connection of its own."""

    async def call() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=CALLERS)
        async with httpx.AsyncClient(base_url=url, headers=bearer(key), timeout=60, limits=limits) as client:
            return await asyncio.gather(*(client.post(path, json=body or {}) for _ in range(CALLERS)))

    answers = asyncio.run(call())
    for answer in answers:
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) >= 1
    return Counter(answer.status_code for answer in answers)


@pytest.fixture
def busy(tmp_path: Path) -> Any:
    with door(tmp_path, orchestrator={"in_flight": 1000}) as made:
        yield made


@attack(
    threat="Two hundred clients at once, to get past a limit of requests",
    control="Decided and counted in one step",
    file="containers/orchestrator/src/orchestrator/access/budgets.py",
)
def test_no_more_requests_than_a_minute_has(busy: Door) -> None:
    key = busy.key(requests_per_minute=37)
    assert at_once(busy.url, key, NLP) == {200: 37, 429: CALLERS - 37}
    assert len(busy.services["nlp"].seen) == 37
    assert at_once(busy.url, key, NLP) == {429: CALLERS}
    assert busy.refusals("rate_limit_exceeded") == 2 * CALLERS - 37
    assert at_once(busy.url, busy.key("another"), NLP) == {200: CALLERS}


@attack(
    threat="Two hundred clients at once, to get past a limit of parallel requests",
    control="Decided and counted in one step",
    file="containers/orchestrator/src/orchestrator/access/budgets.py",
)
def test_no_more_requests_at_once_than_allowed(busy: Door) -> None:
    opened, most = threading.Event(), 0
    inside = 0

    async def hold(exchange: Exchange) -> None:
        nonlocal inside, most
        await exchange.read_body()
        inside += 1
        most = max(most, inside)
        while not opened.is_set():  # noqa: ASYNC110 - it is set from another thread
            await asyncio.sleep(0.01)
        inside -= 1
        await exchange.answer(200, "application/json", b"{}")

    busy.services["nlp"].answer = hold
    key = busy.key(parallel=7)

    def open_when_the_others_are_refused() -> None:
        wait_until(lambda: busy.refusals("rate_limit_exceeded") == CALLERS - 7, "the others are refused")
        wait_until(lambda: inside == 7, "all seven have reached the service")
        opened.set()

    refused = threading.Thread(target=open_when_the_others_are_refused)
    refused.start()
    assert at_once(busy.url, key, NLP) == {200: 7, 429: CALLERS - 7}
    refused.join()
    assert most == 7
    assert at_once(busy.url, key, NLP)[200] >= 7, "places are given back"


def usage(total: int) -> bytes:
    return json.dumps({"id": "x", "usage": {"total_tokens": total}, "text": "y"}).encode()


@attack(
    threat="Two hundred clients at once, to get past a limit of tokens",
    control="Tokens are held before a call, and settled after it",
    file="containers/orchestrator/src/orchestrator/access/budgets.py",
)
def test_no_more_tokens_than_a_minute_has(busy: Door) -> None:
    """Each call used 100 of the tokens, and holds more than that while it runs."""
    busy.services["llm"].answer = answering(200, "application/json", usage(100))
    key = busy.key(tokens_per_minute=2000)
    passed = at_once(busy.url, key, COMPLETION, ASK)[200]
    with busy.client(key) as client:
        while client.post(COMPLETION, json=ASK).status_code == 200:
            passed += 1
    assert 2000 - 400 < 100 * passed <= 2000
    assert len(busy.services["llm"].seen) == passed


@attack(
    threat="An answer that does not tell what it used is free",
    control="What is not known counts as all that might have been used",
    file="containers/orchestrator/src/orchestrator/access/layer.py",
)
def test_what_an_answer_does_not_tell_counts_in_full(busy: Door) -> None:
    stream = b'data: {"choices": []}\n\n' * 3 + b"data: [DONE]\n\n"
    busy.services["llm"].answer = answering(200, "text/event-stream", stream)
    body = {"messages": [{"role": "user", "content": "hi"}], "stream": True, "max_tokens": 100}
    with busy.client(busy.key(tokens_per_minute=1000)) as client:
        statuses = [client.post(CHAT, json=body).status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]


def test_a_refused_call_costs_no_tokens(busy: Door) -> None:
    busy.services["llm"].answer = answering(404, "application/json", b'{"code": "model_not_found"}')
    with busy.client(busy.key(tokens_per_minute=1000)) as client:
        assert {client.post(COMPLETION, json=ASK).status_code for _ in range(20)} == {404}


@pytest.mark.parametrize("code", ["overloaded", "not_ready"])
@pytest.mark.parametrize("path", [COMPLETION, CHAT])
def test_a_call_that_found_no_place_costs_no_tokens(busy: Door, path: str, code: str) -> None:
    problem = {"code": code, "status": 503}
    body = json.dumps({"error": problem} if path == CHAT else problem).encode()
    busy.services["llm"].answer = answering(503, "application/json", body)
    asks = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 10} if path == CHAT else ASK
    with busy.client(busy.key(tokens_per_minute=1000)) as client:
        assert {client.post(path, json=asks).status_code for _ in range(20)} == {503}


def test_a_call_that_reached_nobody_costs_no_tokens(tmp_path: Path) -> None:
    with (
        door(tmp_path, llm={"port": free_port()}) as made,
        made.client(made.key(tokens_per_minute=1000)) as client,
    ):
        assert {client.post(COMPLETION, json=ASK).status_code for _ in range(20)} == {503}


@attack(
    threat="An engine is made to fall after it has computed, for nothing",
    control="Only a call that was not begun is free",
    file="containers/orchestrator/src/orchestrator/access/meter.py",
)
def test_a_call_that_an_engine_broke_off_costs_its_bound(busy: Door) -> None:
    """It may have computed for a minute before it fell."""
    body = b'{"code": "engine_failed", "detail": "it said \\"code\\": \\"overloaded\\""}'
    busy.services["llm"].answer = answering(503, "application/json", body)
    with busy.client(busy.key(tokens_per_minute=1000)) as client:
        assert [client.post(COMPLETION, json=ASK).status_code for _ in range(4)] == [503, 503, 503, 429]


def test_more_than_a_minute_has_is_said_at_once(busy: Door) -> None:
    with busy.client(busy.key(tokens_per_minute=1000)) as client:
        answer = client.post(COMPLETION, json={"prompt": "hi", "max_tokens": 4000})
        assert (answer.status_code, answer.json()["code"]) == (422, "tokens_over_limit")
        assert client.post(COMPLETION, json=ASK).status_code == 200


def test_jobs_and_embeddings_cost_tokens_too(busy: Door) -> None:
    later = {"Prefer": "respond-async"}
    with busy.client(busy.key(tokens_per_minute=1000)) as client:
        statuses = [client.post(COMPLETION, json=ASK, headers=later).status_code for _ in range(5)]
        assert statuses == [202, 202, 202, 429, 429]
    with busy.client(busy.key("embed", tokens_per_minute=1000)) as client:
        long = {"model": "m", "input": "x" * 600}
        assert [client.post("/v1/embeddings", json=long).status_code for _ in range(2)] == [200, 429]


@attack(
    threat="Clients that leave take all places of a key with them",
    control="A place is given back however a request ends",
    file="containers/orchestrator/src/orchestrator/access/layer.py",
)
def test_a_caller_that_leaves_gives_its_place_back(busy: Door) -> None:
    async def never(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.gone()

    key = busy.key(parallel=1)
    busy.services["nlp"].answer = never
    with busy.client(key) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post(NLP, timeout=0.5)
        busy.services["nlp"].reset()
        wait_until(lambda: client.post(NLP).status_code == 200, "the place is free")


@attack(
    threat="A restart makes budgets new",
    control="Budgets are written when the orchestrator stops",
    file="containers/orchestrator/src/orchestrator/access/ledger.py",
)
def test_a_restart_gives_nothing_back(tmp_path: Path) -> None:
    with door(tmp_path) as first:
        key = first.key(requests_per_minute=5)
        assert at_once(first.url, key, NLP)[200] == 5
        partly = first.key("partly", requests_per_minute=5)
        with first.client(partly) as client:
            assert client.post(NLP).status_code == 200
    with door(tmp_path) as second:
        assert at_once(second.url, key, NLP)[200] == 0
        assert at_once(second.url, partly, NLP)[200] == 4


@attack(
    threat="A crash makes budgets new",
    control="After a crash all is taken as spent",
    file="containers/orchestrator/src/orchestrator/access/ledger.py",
)
def test_after_a_crash_all_counts_as_spent(tmp_path: Path) -> None:
    with door(tmp_path) as first:
        key = first.key(requests_per_minute=5)
        free = first.key("free")
        with first.client(key) as client:
            assert client.post(NLP).status_code == 200
        ledger = first.runtime.paths.state_dir / "budgets.json"
        as_it_runs = ledger.read_bytes()
    ledger.write_bytes(as_it_runs)  # what a killed orchestrator leaves
    with door(tmp_path) as second:
        assert at_once(second.url, key, NLP) == {429: CALLERS}
        assert at_once(second.url, free, NLP) == {200: CALLERS}
        assert at_once(second.url, second.key("new", requests_per_minute=5), NLP)[200] == 5


@attack(
    threat="A crash and then a clean stop make budgets new",
    control="What was unknown is written down, too",
    file="containers/orchestrator/src/orchestrator/access/ledger.py",
)
def test_a_crash_and_then_a_clean_restart_give_nothing_back(tmp_path: Path) -> None:
    with door(tmp_path) as first:
        key = first.key(requests_per_minute=5)
        ledger = first.runtime.paths.state_dir / "budgets.json"
        as_it_runs = ledger.read_bytes()
    ledger.write_bytes(as_it_runs)  # what a killed orchestrator leaves
    with door(tmp_path):
        pass  # the key is not used before this one stops by itself
    with door(tmp_path) as third:
        assert at_once(third.url, key, NLP) == {429: CALLERS}
        assert at_once(third.url, third.key("new", requests_per_minute=5), NLP)[200] == 5


def test_what_is_unknown_is_so_for_a_minute() -> None:
    now = 1000.0
    crashed = Budgets(lambda: now, lambda: now)
    crashed.assume_all_spent()
    key = Key("0" * 12, "k", b"", frozenset(), frozenset(), Limits(requests_per_minute=5), 0)
    now = 1030.0
    after = Budgets(lambda: now - 500, lambda: now)
    after.restore(json.loads(json.dumps(crashed.document())))
    now = 1059.0
    with pytest.raises(RateLimitExceeded) as refused:
        after.enter(key)
    assert refused.value.retry_after == 1
    now = 1060.0
    after.enter(key)
    assert after.document()["unknown"] is None
