"""Streams that break off, fail in the middle, or are left."""

from __future__ import annotations

import pytest

from ai_semble_client import AsyncClient, Client, Settings, calls
from ai_semble_client.errors import NotAvailable, NotReached, UnknownAnswer
from tests.support.upstream import Exchange, Upstream
from tests.unit.client.conftest import QUICK
from tests.unit.client.replies import (
    END,
    JOB_ID,
    event,
    frame,
    one_after_the_other,
    problem,
    refused,
    sse,
)

DEADLINE_S = 10
QUESTION = calls.complete("Hello")
PIECES = (frame("delta", {"text": "Hel"}), frame("delta", {"text": "lo"}))


def test_a_stream_gives_its_pieces_and_its_end(server: Upstream, client: Client) -> None:
    server.answer = sse(*PIECES, frame("done", END))
    with client.stream(QUESTION) as stream:
        assert list(stream) == ["Hel", "lo"]
    assert stream.text == "Hello"
    assert stream.end is not None
    assert stream.end.usage.total_tokens == 2
    assert server.last().json() == {"prompt": "Hello", "stream": True}


@pytest.mark.parametrize("ends", [True, False])
def test_a_stream_that_breaks_off_is_an_error_and_its_text_is_there(
    ends: bool, server: Upstream, client: Client
) -> None:
    server.answer = sse(*PIECES, ends=ends)
    stream = client.stream(QUESTION)
    with pytest.raises(NotReached):
        list(stream)
    assert stream.text == "Hello"
    assert len(server.seen) == 1, "half an answer is not asked for again"


def test_an_error_in_a_stream_is_of_its_family(server: Upstream, client: Client) -> None:
    server.answer = sse(PIECES[0], b"event: error\ndata: " + problem(503, "overloaded") + b"\n\n")
    with pytest.raises(NotAvailable) as caught:
        list(client.stream(QUESTION))
    assert caught.value.code == "overloaded"


def test_something_unknown_in_a_stream_is_told(server: Upstream, client: Client) -> None:
    server.answer = sse(b"event: delta\ndata: {}\n\n")
    with pytest.raises(UnknownAnswer):
        list(client.stream(QUESTION))


def test_a_stream_is_begun_again_while_nothing_was_read(server: Upstream, client: Client) -> None:
    server.answer = one_after_the_other([refused(503, "not_ready"), sse(*PIECES, frame("done", END))])
    assert "".join(client.stream(QUESTION)) == "Hello"


async def trickle(exchange: Exchange) -> None:
    """A first piece, and then nothing more while the other side listens."""
    await exchange.read_body()
    await exchange.head(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
    await exchange.chunk(PIECES[0])
    await exchange.gone()


def test_leaving_a_stream_ends_the_connection(server: Upstream, client: Client) -> None:
    server.answer = trickle
    with client.stream(QUESTION) as stream:
        assert next(iter(stream)) == "Hel"
        assert not server.last().ended.is_set()
    assert server.last().ended.wait(DEADLINE_S)


def test_leaving_a_stream_that_was_not_read_ends_the_connection(server: Upstream, client: Client) -> None:
    server.answer = trickle
    with client.stream(QUESTION):
        pass
    assert server.last().ended.wait(DEADLINE_S)


async def test_leaving_an_asynchronous_stream_ends_the_connection(
    server: Upstream, settings: Settings
) -> None:
    server.answer = trickle
    async with AsyncClient(settings=settings, backoff=QUICK) as client:
        async with await client.stream(QUESTION) as stream:
            assert await anext(aiter(stream)) == "Hel"
        assert server.last().ended.wait(DEADLINE_S)


async def test_an_asynchronous_stream_breaks_off_alike(server: Upstream, settings: Settings) -> None:
    server.answer = sse(*PIECES, ends=False)
    async with AsyncClient(settings=settings, backoff=QUICK) as client:
        stream = await client.stream(QUESTION)
        with pytest.raises(NotReached):
            [piece async for piece in stream]
    assert stream.text == "Hello"


@pytest.mark.parametrize("ends", [True, False])
def test_events_go_on_where_they_broke_off(ends: bool, server: Upstream, client: Client) -> None:
    server.answer = one_after_the_other(
        [sse(event(1, "queued"), ends=ends), sse(event(2, "running"), ends=ends), sse(event(3, "succeeded"))]
    )
    assert [one.state for one in client.events(JOB_ID)] == ["queued", "running", "succeeded"]
    assert [seen.headers["last-event-id"] for seen in server.seen] == ["0", "1", "2"]


async def test_asynchronous_events_go_on_where_they_broke_off(server: Upstream, settings: Settings) -> None:
    server.answer = one_after_the_other([sse(event(1, "queued"), ends=False), sse(event(2, "failed"))])
    async with AsyncClient(settings=settings, backoff=QUICK) as client:
        assert [one.state async for one in client.events(JOB_ID)] == ["queued", "failed"]


def test_events_that_break_off_again_and_again_are_given_up(server: Upstream, client: Client) -> None:
    server.answer = sse()
    with pytest.raises(NotReached):
        list(client.events(JOB_ID))
    assert len(server.seen) == 1 + QUICK.retries
