"""What is tried again, how often, and when; at a server that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_semble_client import AiSembleError, AsyncClient, Backoff, Client, Settings, calls
from ai_semble_client.errors import (
    Conflicting,
    LimitReached,
    NotAvailable,
    NotReached,
    RequestRefused,
    SilentServer,
    TookTooLong,
    of_problem,
)
from tests.support.upstream import Answer, Exchange, Upstream
from tests.unit.client.conftest import QUICK
from tests.unit.client.replies import LANGUAGE, cut, fine, job, one_after_the_other, refused


def told(status: int, retry_after: float | None = None) -> AiSembleError:
    return of_problem({"status": status, "code": "x", "detail": "x"}, retry_after)


@pytest.mark.parametrize("failure", [refused(503, "overloaded"), refused(429, "rate_limit_exceeded"), cut])
def test_a_failure_that_passes_is_not_noticed(failure: Answer, server: Upstream, client: Client) -> None:
    server.answer = one_after_the_other([failure, failure, fine(LANGUAGE)])
    assert client.language("こんにちは").result.language == "ja"
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (refused(503, "not_ready"), NotAvailable),
        (refused(502, "bad_gateway"), NotAvailable),
        (refused(429, "too_many_requests"), LimitReached),
        (cut, NotReached),
    ],
)
def test_a_failure_that_stays_is_told_after_the_last_attempt(
    failure: Answer, kind: type[AiSembleError], server: Upstream, client: Client
) -> None:
    server.answer = failure
    with pytest.raises(kind):
        client.language("x")
    assert len(server.seen) == 1 + QUICK.retries


@pytest.mark.parametrize(("status", "kind"), [(422, RequestRefused), (409, Conflicting), (504, TookTooLong)])
def test_what_another_attempt_would_not_mend_is_told_at_once(
    status: int, kind: type[AiSembleError], server: Upstream, client: Client
) -> None:
    server.answer = refused(status, "x")
    with pytest.raises(kind):
        client.language("x")
    assert len(server.seen) == 1


def test_what_may_not_be_done_twice_is_done_once(server: Upstream, client: Client, tmp_path: Path) -> None:
    server.answer = cut
    table = tmp_path / "t.csv"
    table.write_text("a\n1\n")
    once: tuple[calls.Call[object], ...] = (
        calls.process("filter", "t", where="a > 1", output={"dataset": "new"}),
        calls.upload("t", table),
        calls.delete_dataset("t"),
    )
    for call in once:
        server.seen.clear()
        with pytest.raises(NotReached):
            client.run(call)
        assert len(server.seen) == 1, call


def test_a_file_is_sent_again_from_its_beginning(server: Upstream, client: Client, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(b"a\n" + b"1\n" * 400_000)
    dataset = {"name": "t", "format": "csv", "compression": "none", "bytes": 1, "created": ""}
    server.answer = one_after_the_other([cut, refused(503, "overloaded"), fine(dataset)])
    client.upload("t", table, replace=True)
    assert [bytes(seen.body) for seen in server.seen] == [table.read_bytes()] * 3


def test_a_job_that_is_submitted_again_is_the_same_job(server: Upstream, client: Client) -> None:
    server.answer = one_after_the_other([cut, fine(job("queued"))])
    client.submit(calls.process("filter", "t", where="a > 1", output={"dataset": "new"}))
    keys = {seen.headers["idempotency-key"] for seen in server.seen}
    assert len(server.seen) == 2
    assert len(keys) == 1
    client.submit(calls.language("x"))
    assert server.last().headers["idempotency-key"] not in keys


def test_a_silent_server_is_not_asked_twice(server: Upstream) -> None:
    async def say_nothing(exchange: Exchange) -> None:
        await exchange.gone()

    server.answer = say_nothing
    with (
        Client(settings=Settings(server.url, timeout_s=0.2), backoff=QUICK) as client,
        pytest.raises(SilentServer),
    ):
        client.language("x")
    assert len(server.seen) == 1


async def test_the_asynchronous_client_tries_again_too(server: Upstream, settings: Settings) -> None:
    server.answer = one_after_the_other([refused(503, "overloaded"), cut, fine(LANGUAGE)])
    async with AsyncClient(settings=settings, backoff=QUICK) as client:
        assert (await client.language("x")).result.language == "ja"
    assert len(server.seen) == 3


def test_a_server_that_is_not_there_is_told_with_its_address() -> None:
    with (
        Client("http://127.0.0.1:9", backoff=Backoff(retries=1, first_s=0)) as client,
        pytest.raises(NotReached) as caught,
    ):
        client.health()
    assert "http://127.0.0.1:9" in caught.value.detail
    assert "AI_SEMBLE_URL" in caught.value.hint


def test_waits_double_and_vary() -> None:
    longest = Backoff(first_s=1, chance=lambda: 1.0)
    shortest = Backoff(first_s=1, chance=lambda: 0.0)
    attempts = range(1, 5)
    assert [longest.wait_after(told(503), n, repeatable=True) for n in attempts] == [1, 2, 4, 8]
    assert [shortest.wait_after(told(503), n, repeatable=True) for n in attempts] == [0.5, 1, 2, 4]


def test_what_the_server_asks_for_is_waited_for() -> None:
    backoff = Backoff(first_s=1, longest_s=60, chance=lambda: 1.0)
    wait = backoff.wait_after(told(429, retry_after=30), 1, repeatable=True)
    assert wait is not None
    assert 30 <= wait <= 31
    assert backoff.wait_after(told(429, retry_after=3600), 1, repeatable=True) is None
