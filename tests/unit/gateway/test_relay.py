"""What goes through the gateway goes through unchanged; what must not, does not."""

from __future__ import annotations

import gzip

import httpx
import pytest

from tests.support.raw_http import wait_until
from tests.support.upstream import answering
from tests.unit.gateway.conftest import TOKEN, Gateway

CHAT = "/v1/chat/completions"
PROBLEM = b'{"code": "prompt_too_long", "source": "llm", "status": 422, "extra": [1, 2]}'

RELAYED = [
    ("POST", "/ai/llm/completion", "llm"),
    ("POST", "/v1/chat/completions", "llm"),
    ("POST", "/v1/completions", "llm"),
    ("GET", "/v1/models", "llm"),
    ("POST", "/ai/vision/analyze", "vision"),
    ("POST", "/ai/nlp/process", "nlp"),
    ("POST", "/v1/embeddings", "nlp"),
    ("POST", "/data/process", "data-processor"),
    ("GET", "/data/datasets", "data-processor"),
    ("GET", "/data/datasets/sales", "data-processor"),
    ("PUT", "/data/datasets/sales", "data-processor"),
    ("DELETE", "/data/datasets/sales", "data-processor"),
    ("GET", "/data/datasets/sales/content", "data-processor"),
]


@pytest.mark.parametrize(("method", "path", "service"), RELAYED)
def test_every_path_reaches_its_service(
    gateway: Gateway, api: httpx.Client, method: str, path: str, service: str
) -> None:
    assert api.request(method, path).json()["target"] == path
    assert [name for name, upstream in gateway.services.items() if upstream.seen] == [service]


def test_a_body_arrives_byte_for_byte_even_when_it_is_no_json(api: httpx.Client) -> None:
    body = b'{"prompt": "\xff\x00 broken'
    answer = api.post("/ai/llm/completion", content=body, headers={"Content-Type": "application/json"})
    told = answer.json()
    assert told["body"].encode("latin-1") == body
    assert told["headers"]["content-type"] == "application/json"
    assert told["headers"]["content-length"] == str(len(body))


def test_the_path_and_the_query_arrive_as_they_were_written(api: httpx.Client) -> None:
    target = "/data/datasets/%E5%A3%B2%E4%B8%8A?format=csv&a=%20b+c&empty="
    assert api.get(target).json()["target"] == target


def test_an_answer_passes_with_its_status_headers_and_body(gateway: Gateway, api: httpx.Client) -> None:
    gateway.llm.answer = answering(
        418, "image/png", b"\x89PNG", "X-Mine: kept", "Set-Cookie: a=1", "Set-Cookie: b=2"
    )
    answer = api.post(CHAT, content=b"{}")
    assert (answer.status_code, answer.content) == (418, b"\x89PNG")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-mine"] == "kept"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_a_compressed_answer_stays_as_it_is(gateway: Gateway, api: httpx.Client) -> None:
    packed = gzip.compress(b"text " * 1000)
    gateway.llm.answer = answering(200, "text/plain", packed, "Content-Encoding: gzip")
    answer = api.post(CHAT, content=b"{}")
    assert answer.headers["content-length"] == str(len(packed))
    assert answer.text == "text " * 1000


def test_the_callers_secrets_stay_here_and_the_services_token_goes(api: httpx.Client) -> None:
    secrets = {"Authorization": "Bearer sk-mine", "Cookie": "session=1", "Proxy-Authorization": "Basic x"}
    told = api.post(CHAT, content=b"{}", headers=secrets).json()["headers"]
    assert told["authorization"] == f"Bearer {TOKEN}"
    assert not {"cookie", "proxy-authorization"} & set(told)


def test_headers_of_one_connection_are_not_passed_on(gateway: Gateway, api: httpx.Client) -> None:
    gateway.llm.answer = answering(
        200,
        "text/plain",
        b"ok",
        "Keep-Alive: timeout=9",
        "Connection: keep-alive, X-Hop",
        "X-Hop: 1",
        "Server: me",
    )
    hop = {
        "Connection": "keep-alive, X-Private",
        "X-Private": "1",
        "TE": "trailers",
        "Upgrade": "h2c",
        "X-Kept": "1",
    }
    answer = api.post(CHAT, content=b"{}", headers=hop)
    told = gateway.llm.last().headers
    assert not {"x-private", "te", "upgrade", "keep-alive"} & set(told)
    assert told["x-kept"] == "1"
    assert not {"keep-alive", "x-hop"} & set(answer.headers)
    assert "me" not in answer.headers.get_list("server")


def test_the_request_id_goes_along_and_comes_back_once(gateway: Gateway, api: httpx.Client) -> None:
    gateway.llm.answer = answering(200, "text/plain", b"ok", "X-Request-ID: of-the-service")
    answer = api.post(CHAT, content=b"{}", headers={"X-Request-ID": "mine-1"})
    assert gateway.llm.last().headers["x-request-id"] == "mine-1"
    assert answer.headers.get_list("x-request-id") == ["mine-1"]
    made = api.post(CHAT, content=b"{}").headers["x-request-id"]
    assert gateway.llm.last().headers["x-request-id"] == made


def test_nothing_is_added_that_the_client_did_not_say(gateway: Gateway) -> None:
    with httpx.Client(base_url=gateway.url) as client:
        request = client.build_request("GET", "/v1/models")
        for name in ("accept", "accept-encoding", "user-agent"):
            del request.headers[name]
        client.send(request)
    assert set(gateway.llm.last().headers) == {"host", "authorization", "x-request-id"}


def test_a_services_problem_passes_unchanged(gateway: Gateway, api: httpx.Client) -> None:
    gateway.llm.answer = answering(422, "application/problem+json", PROBLEM, "Retry-After: 7")
    answer = api.post("/ai/llm/completion", content=b"{}")
    assert (answer.status_code, answer.content) == (422, PROBLEM)
    assert answer.headers["retry-after"] == "7"


def test_a_redirect_of_a_service_is_passed_on_and_not_followed(gateway: Gateway, api: httpx.Client) -> None:
    gateway.llm.answer = answering(307, "text/plain", b"", "Location: http://127.0.0.1:1/")
    assert api.post(CHAT, content=b"{}").headers["location"] == "http://127.0.0.1:1/"


def test_an_answer_without_a_body_has_none(gateway: Gateway, api: httpx.Client) -> None:
    async def no_content(exchange):  # type: ignore[no-untyped-def]
        await exchange.head(204)

    gateway.services["data-processor"].answer = no_content
    answer = api.delete("/data/datasets/sales")
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_wrong_method_names_the_right_ones(api: httpx.Client) -> None:
    answer = api.patch("/data/datasets/sales")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert {"GET", "PUT", "DELETE"} <= set(answer.headers["allow"].split(", "))
    assert api.get("/ai/llm/completion").headers["allow"] == "POST"


def test_an_unknown_path_is_not_found_here(gateway: Gateway, api: httpx.Client) -> None:
    for path in (
        "/v1/files",
        "/data/datasets/a/b",
        "/data/datasets/..%2f..%2fetc",
        "//v1/models",
        "/v1/models/",
    ):
        answer = api.get(path, follow_redirects=False)
        assert answer.status_code in (404, 307), path
    assert not gateway.services["data-processor"].seen


def test_a_connection_that_the_service_closed_is_not_used_again(gateway: Gateway, api: httpx.Client) -> None:
    for _ in range(3):
        assert api.post(CHAT, content=b"{}").status_code == 200
        gateway.llm.close_connections()
        wait_until(lambda: api.get("/v1/models").is_success, "the gateway has noticed")


def test_connections_to_a_service_are_kept(gateway: Gateway, api: httpx.Client) -> None:
    for _ in range(20):
        api.post(CHAT, content=b"{}")
    assert len(gateway.llm._writers) < 12


def test_expect_100_continue_is_answered_here(gateway: Gateway, api: httpx.Client) -> None:
    assert api.post(CHAT, content=b"{}", headers={"Expect": "100-continue"}).status_code == 200
    assert "expect" not in gateway.llm.last().headers


def test_a_body_over_the_limit_is_refused_announced_or_not(gateway: Gateway, api: httpx.Client) -> None:
    announced = api.post(CHAT, content=b"x" * 1_000_001)
    streamed = api.post(CHAT, content=iter([b"x" * 100_000] * 11))
    for answer in (announced, streamed):
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
