"""Every problem of the server becomes an error that says all of it."""

from __future__ import annotations

import pytest

from ai_semble.errors import AiSembleError as ServerError
from ai_semble.errors import all_errors
from ai_semble_client import Client, ProblemError
from ai_semble_client.errors import (
    KeyRefused,
    NotThere,
    RequestRefused,
    ServerFailed,
    UnknownAnswer,
    of_problem,
)
from tests.support.upstream import Upstream, answering
from tests.unit.client.conftest import QUICK
from tests.unit.client.replies import problem, refused


@pytest.mark.parametrize("error", list(all_errors()), ids=lambda error: error.code)
def test_every_error_of_the_server_has_a_family(error: type[ServerError]) -> None:
    met = of_problem({"status": error.status, "code": error.code, "detail": "x", "hint": error.hint})
    assert type(met) is not ProblemError
    assert isinstance(met, ServerFailed) == (error.status in (500, 507))
    assert (met.code, met.hint) == (error.code, error.hint)


def test_an_error_says_all_that_the_problem_says(server: Upstream, client: Client) -> None:
    fields = [{"field": "task", "message": "no such task"}]
    server.answer = answering(422, "application/problem+json", problem(422, "invalid_request", errors=fields))
    with pytest.raises(RequestRefused) as caught:
        client.nlp("wrong", "x")
    error = caught.value
    assert (error.status, error.code, error.source) == (422, "invalid_request", "nlp")
    assert (error.hint, error.request_id) == ("Do something.", "r1")
    assert error.fields == (("task", "no such task"),)
    assert str(error) == "It happened"


def test_what_openai_clients_get_is_understood(server: Upstream, client: Client) -> None:
    body = b'{"error": ' + problem(404, "model_not_found", message="m") + b"}"
    server.answer = answering(404, "application/json", body)
    with pytest.raises(NotThere) as caught:
        client.health()
    assert caught.value.code == "model_not_found"


def test_a_missing_key_is_told_with_the_variable(server: Upstream, client: Client) -> None:
    server.answer = refused(401, "api_key_required")
    with pytest.raises(KeyRefused) as caught:
        client.health()
    assert "AI_SEMBLE_API_KEY" in caught.value.hint


def test_the_key_is_sent(server: Upstream) -> None:
    with Client(server.url, "ais_key", backoff=QUICK) as client, pytest.raises(UnknownAnswer):
        client.health()
    assert server.last().headers["authorization"] == "Bearer ais_key"


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_not_followed_with_the_key(status: int, server: Upstream) -> None:
    server.answer = answering(status, "text/html", b"", f"Location: {server.url}/elsewhere")
    with (
        Client(server.url, "ais_key", backoff=QUICK) as client,
        pytest.raises(UnknownAnswer, match="redirect"),
    ):
        client.health()
    assert len(server.seen) == 1


@pytest.mark.parametrize("body", [b"<html>no</html>", b"[]", b"{}", b"\xff"])
def test_an_answer_that_is_not_ours_is_told(body: bytes, server: Upstream, client: Client) -> None:
    server.answer = answering(200, "text/html", body)
    with pytest.raises(UnknownAnswer) as caught:
        client.health()
    assert "AI_SEMBLE_URL" in caught.value.hint
    server.answer = answering(404, "text/html", body)
    with pytest.raises(NotThere) as refusal:
        client.health()
    assert refusal.value.code == "http_404"
