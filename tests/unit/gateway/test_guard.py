"""Who may call: programs on this machine and pages of this server, not pages of other sites."""

from __future__ import annotations

import httpx
import pytest

from tests.support.raw_http import connection, head, read_until
from tests.unit.gateway.conftest import Gateway

PATH = "/ai/nlp/process"
OURS = "https://app.example"


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:65535", "[::1]", "[::1]:8080"],
)
def test_a_known_host_is_served_on_any_port(api: httpx.Client, host: str) -> None:
    assert api.post(PATH, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "evil.example:8080",
        "localhost@evil.example",
        "[::1].evil.example",
        "[::ffff:127.0.0.1]",
        "127.0.0.2",
        "0.0.0.0",  # noqa: S104 - nothing is bound
        "localhost, evil.example",
        "",
    ],
)
def test_a_name_that_somebody_points_here_is_refused(gateway: Gateway, api: httpx.Client, host: str) -> None:
    """DNS rebinding: the browser believes that it talks to the attacker's own site."""
    for path in (PATH, "/health", "/metrics", "/docs", "/jobs"):
        answer = api.get(path, headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (403, "host_not_allowed"), path
        assert answer.headers["x-request-id"]
    assert not gateway.services["nlp"].seen


def test_two_host_headers_are_refused_whichever_comes_first(gateway: Gateway) -> None:
    for first, second in (("localhost", "evil.example"), ("evil.example", "localhost")):
        with connection(gateway.port) as client:
            client.sendall(head("GET", "/health", f"Host: {second}", host=first))
            assert b"host_not_allowed" in read_until(client, b"}")


def test_a_request_without_a_host_is_refused(gateway: Gateway) -> None:
    with connection(gateway.port) as client:
        client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert b"host_not_allowed" in read_until(client, b"}")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "https://app.example.evil.example"},
        {"Origin": "https://evil-app.example"},
        {"Origin": "http://app.example"},
        {"Origin": "ftp://{host}"},
        {"Origin": "evil://x://{host}"},
        {"Origin": "file://"},
        {"Origin": "chrome-extension://abcdef"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
    ids=repr,
)
def test_a_page_of_another_site_cannot_make_a_call(
    gateway: Gateway, api: httpx.Client, headers: dict[str, str]
) -> None:
    own = f"127.0.0.1:{gateway.port}"
    sent = {name: value.replace("{host}", own) for name, value in headers.items()}
    answer = api.post(PATH, content=b"{}", headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_refused")
    assert "access-control-allow-origin" not in answer.headers
    assert not gateway.services["nlp"].seen


def test_a_page_of_another_site_cannot_embed_what_is_here(api: httpx.Client) -> None:
    for destination in ("image", "script", "iframe", "object", "empty"):
        fetched = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": destination}
        assert api.get("/data/datasets", headers=fetched).status_code == 403
        framed = {**fetched, "Sec-Fetch-Mode": "navigate"}
        assert api.get("/docs", headers=framed).status_code == 403


def test_a_link_from_another_site_can_be_followed(api: httpx.Client) -> None:
    clicked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert api.get("/docs", headers=clicked).status_code == 200


def test_our_own_page_can_make_calls(gateway: Gateway, api: httpx.Client) -> None:
    own = {"Origin": f"http://127.0.0.1:{gateway.port}", "Sec-Fetch-Site": "same-origin"}
    assert api.post(PATH, content=b"{}", headers=own).status_code == 200
    assert api.get("/docs", headers={"Sec-Fetch-Site": "none"}).status_code == 200


def test_an_allowed_site_may_read_the_answer_and_the_useful_headers(api: httpx.Client) -> None:
    answer = api.post(PATH, content=b"{}", headers={"Origin": OURS, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == OURS
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers


def test_an_allowed_site_may_ask_first_and_no_other(api: httpx.Client) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, authorization",
        "Access-Control-Request-Private-Network": "true",
    }
    answer = api.options(PATH, headers={"Origin": OURS, **asked})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == OURS
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "content-type, authorization"
    assert answer.headers["access-control-allow-private-network"] == "true"
    assert api.options(PATH, headers={"Origin": "https://evil.example", **asked}).status_code == 403


def test_an_allowed_site_can_read_errors_too(api: httpx.Client, down: httpx.Client) -> None:
    for client, path, status in ((api, "/nowhere", 404), (down, PATH, 503)):
        answer = client.post(path, headers={"Origin": OURS})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == OURS
