"""Certificates: what is trusted, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ai_semble_client import AsyncClient, Client, Settings
from ai_semble_client.errors import NotThere, NotTrusted
from tests.support.certificates import Pair, self_signed
from tests.support.serving import serving
from tests.unit.client.replies import problem


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """A problem to everything."""
    if scope["type"] == "http":
        headers = [(b"content-type", b"application/problem+json")]
        await send({"type": "http.response.start", "status": 404, "headers": headers})
        await send({"type": "http.response.body", "body": problem(404, "not_found")})


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return self_signed(tmp_path)


@pytest.fixture
def url(pair: Pair) -> Iterator[str]:
    files: dict[str, Any] = {"ssl_certfile": str(pair.certificate), "ssl_keyfile": str(pair.key)}
    with serving(answer, lifespan="off", **files) as plain:
        yield plain.replace("http://", "https://")


def asked(settings: Settings) -> str:
    """The code that comes, when the server is trusted."""
    with Client(settings=settings) as client, pytest.raises(NotThere) as caught:
        client.dataset("x")
    return caught.value.code


def test_an_unknown_certificate_is_refused_with_what_to_do(url: str) -> None:
    with Client(url) as client, pytest.raises(NotTrusted) as caught:
        client.dataset("x")
    assert "AI_SEMBLE_CA_FILE" in caught.value.hint


async def test_the_asynchronous_client_refuses_it_too(url: str) -> None:
    async with AsyncClient(url) as client:
        with pytest.raises(NotTrusted):
            await client.dataset("x")


def test_a_certificate_that_was_named_is_trusted(url: str, pair: Pair) -> None:
    assert asked(Settings(url, ca_file=str(pair.certificate))) == "not_found"


def test_any_certificate_is_trusted_where_that_is_wished_for(url: str) -> None:
    assert asked(Settings(url, verify=False)) == "not_found"
