"""The fake upstream does what the tests of the gateway rely on."""

from __future__ import annotations

import httpx
import pytest

from tests.support.raw_http import connection, head, read_until
from tests.support.upstream import Exchange, answering, upstream


def test_it_tells_what_came_in() -> None:
    with upstream() as fake, httpx.Client(base_url=fake.url) as client:
        told = client.post("/a?b=1", content=b"\xff", headers={"X-Mine": "1"}).json()
        assert (told["method"], told["target"], told["body"]) == ("POST", "/a?b=1", "\xff")
        assert told["headers"]["x-mine"] == "1"
        assert client.post("/chunked", content=iter([b"a", b"bc"])).json()["body"] == "abc"
        assert [seen.target for seen in fake.seen] == ["/a?b=1", "/chunked"]
        assert len(fake._writers) == 1, "connections are kept alive"


def test_it_answers_as_told_and_can_cut_the_connection() -> None:
    async def cut(exchange: Exchange) -> None:
        exchange.cut()

    with upstream() as fake, httpx.Client(base_url=fake.url) as client:
        fake.answer = answering(418, "text/plain", b"tea", "X-Mine: 1")
        answer = client.get("/")
        assert (answer.status_code, answer.text, answer.headers["x-mine"]) == (418, "tea", "1")
        fake.answer = cut
        with pytest.raises(httpx.TransportError):
            client.get("/")


def test_it_notices_a_client_that_leaves() -> None:
    with upstream() as fake:
        fake.answer = Exchange.gone
        with connection(fake.port) as client:
            client.sendall(head("GET", "/"))
            with pytest.raises(TimeoutError):
                client.settimeout(0.1)
                read_until(client, b"never")
            assert not fake.last().ended.is_set()
        assert fake.last().ended.wait(5)


def test_it_closes_its_connections_when_told() -> None:
    with upstream() as fake, connection(fake.port) as client:
        client.sendall(head("GET", "/"))
        read_until(client, b'"body": ""}')
        fake.close_connections()
        assert client.recv(1) == b""
