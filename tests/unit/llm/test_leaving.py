"""Clients that go away, and more clients than there are slots."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tests.support.raw_http import connection, head, read_until
from tests.unit.llm.conftest import QUEUE, SLOTS, Service, eventually

ENDLESS = {"prompt": "One", "max_tokens": 480, "ignore_eos": True}
BROKEN_OFF = "ai_semble_llm_calls_total"


@contextmanager
def asking(service: Service, path: str = "/v1/completions", **question: object) -> Iterator[socket.socket]:
    """A connection on which the question has been sent; it is closed at the end of the block."""
    body = json.dumps({**ENDLESS, **question}).encode()
    with connection(urlsplit(service.url).port or 0) as made:
        made.sendall(
            head("POST", path, f"Content-Length: {len(body)}", "Content-Type: application/json") + body
        )
        yield made


def waiting(service: Service) -> float:
    return service.metric("ai_semble_llm_queue_waiting")


def settled(service: Service) -> bool:
    return service.busy() == 0 and waiting(service) == 0


@pytest.fixture(autouse=True)
def _quiet(service: Service) -> Iterator[None]:
    eventually(lambda: settled(service), "earlier calls have ended")
    yield
    eventually(lambda: settled(service), "all slots are free again")


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_frees_its_slot(service: Service, stream: bool) -> None:
    before = service.metric(BROKEN_OFF, end="broken_off")
    with asking(service, stream=stream) as made:
        if stream:
            read_until(made, b"data: ")
        eventually(lambda: service.busy() == 1, "the call has its slot")
    eventually(lambda: service.busy() == 0, "the slot is free", within_s=20)
    assert service.metric(BROKEN_OFF, end="broken_off") == before + 1


def test_a_client_that_goes_away_while_its_prompt_is_read_frees_its_slot(service: Service) -> None:
    with asking(service, prompt="word " * 450, max_tokens=8):
        eventually(lambda: service.busy() == 1, "the call has its slot")
    eventually(lambda: service.busy() == 0, "the slot is free", within_s=20)


def test_a_client_that_waits_gets_its_turn(service: Service) -> None:
    with ThreadPoolExecutor() as pool, asking(service), asking(service):
        eventually(lambda: service.busy() == SLOTS, "all slots are taken")
        answer = pool.submit(service.ask, prompt="Hi", max_tokens=2)
        eventually(lambda: waiting(service) == 1, "the next one waits")
        assert not answer.done()
    timings = answer.result().json()["timings"]
    assert timings["queue_ms"] > 0
    assert timings["first_token_ms"] > timings["queue_ms"]


def test_a_client_that_goes_away_while_it_waits_gives_up_its_place(service: Service) -> None:
    with asking(service), asking(service):
        eventually(lambda: service.busy() == SLOTS, "all slots are taken")
        with asking(service):
            eventually(lambda: waiting(service) == 1, "the next one waits")
        eventually(lambda: waiting(service) == 0, "its place is free")


def test_what_the_queue_does_not_hold_is_told_when_to_come_again(service: Service) -> None:
    with asking(service), asking(service):
        eventually(lambda: service.busy() == SLOTS, "all slots are taken")
        with asking(service):
            eventually(lambda: waiting(service) == QUEUE, "the queue is full")
            answer = service.ask(prompt="Hi", max_tokens=2)
            assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
            assert int(answer.headers["Retry-After"]) >= 1
            assert service.is_ready(), "being busy is not being ill"


def test_health_is_answered_at_once_while_all_slots_are_busy(service: Service) -> None:
    with asking(service), asking(service):
        eventually(lambda: service.busy() == SLOTS, "all slots are taken")
        assert max(service.client.get("/health").elapsed.total_seconds() for _ in range(5)) < 1
