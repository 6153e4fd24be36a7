"""Requests that two programs read in two ways"""

from __future__ import annotations

import json
import socket

import httpx
import pytest

from tests.support.attacks import attack
from tests.support.raw_http import connection, head, problem_of, read_until

PROTOCOL = "containers/base/src/ai_semble/protocol.py"
HEADERS = "containers/orchestrator/src/orchestrator/gateway/headers.py"
STRICT = "The parser is strict: 400, and the connection ends"
BODY = b'{"text": "Hello there.", "task": "language"}'
PATH = "/ai/nlp/process"
JSON = "Content-Type: application/json"
HIDDEN = head("GET", "/health/live", host="localhost")


def everything(client: socket.socket) -> bytes:
    """What comes until the server ends the connection."""
    received = b""
    try:
        while piece := client.recv(65536):
            received += piece
    except ConnectionError:
        pass
    return received


def answer_to(port: int, request: bytes) -> bytes:
    """All answers to bytes after which the server has to end the connection."""
    with connection(port) as client:
        client.sendall(request)
        return everything(client)


@attack(threat="A hidden request behind contradicting lengths", control=STRICT, file=PROTOCOL)
@pytest.mark.parametrize(
    "lengths",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5, 6",),
        ("Content-Length: +5",),
        ("Content-Length: 0x5",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding: identity", "Content-Length: 5"),
    ],
)
def test_a_request_with_two_lengths_hides_no_second_one(port: int, lengths: tuple[str, ...]) -> None:
    answer = answer_to(port, head("POST", PATH, JSON, *lengths) + b"0\r\n\r\n" + HIDDEN)
    assert b" 400 " in answer.splitlines()[0]
    assert b"malformed_request" in answer
    assert b"alive" not in answer


@attack(
    threat="Line ends, spaces and NULs that only some programs accept in a head",
    control=STRICT,
    file=PROTOCOL,
)
@pytest.mark.parametrize(
    "line",
    [
        b"X: a\r\n Transfer-Encoding: chunked",
        b"X: a\nTransfer-Encoding: chunked",
        b"X: a\rY: b",
        b"X: a\0b",
        b"X Y: a",
    ],
)
def test_an_odd_line_in_a_head_is_refused(port: int, line: bytes) -> None:
    answer = answer_to(port, b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n" + line + b"\r\n\r\n")
    assert b"malformed_request" in answer


@attack(threat="A chunk whose length overflows", control=STRICT, file=PROTOCOL)
def test_a_chunk_longer_than_any_number_is_refused(port: int) -> None:
    start = head("POST", PATH, JSON, "Transfer-Encoding: chunked", host="localhost")
    assert b"malformed_request" in answer_to(port, start + b"FFFFFFFFFFFFFFFFF\r\n" + BODY)


@attack(
    threat="A header behind the body (a trailer), where no proxy has looked",
    control="Trailers are dropped",
    file=PROTOCOL,
)
def test_a_trailer_is_never_taken_for_a_header(port: int) -> None:
    start = head("POST", PATH, JSON, "Transfer-Encoding: chunked", "X-Request-ID: mine", host="localhost")
    chunks = b"%x\r\n%b\r\n0\r\nX-Request-ID: theirs\r\nHost: evil.example\r\n\r\n" % (len(BODY), BODY)
    with connection(port) as client:
        client.sendall(start + chunks)
        answer = read_until(client, b"}")
    assert b" 200 " in answer.splitlines()[0]
    assert b"x-request-id: mine" in answer


@attack(
    threat="A body that the parser drops, so that a service waits for it",
    control="Upgrade is not heard, and the head read again without it",
    file=PROTOCOL,
)
def test_an_upgrade_with_a_body_does_not_hold_a_place_in_a_service(port: int) -> None:
    upgrade = ("Connection: Upgrade, close", "Upgrade: h2c", f"Content-Length: {len(BODY)}")
    answer = answer_to(port, head("POST", PATH, JSON, *upgrade, host="localhost") + BODY)
    assert b" 200 " in answer.splitlines()[0]


@attack(
    threat="A hidden request behind an upgrade, which is read in two ways",
    control="The head is read again by the same strict parser",
    file=PROTOCOL,
)
@pytest.mark.parametrize(
    "lengths",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Transfer-Encoding: chunked, identity",),
    ],
)
def test_an_upgrade_with_two_lengths_hides_no_request(port: int, lengths: tuple[str, ...]) -> None:
    upgrade = ("Connection: Upgrade", "Upgrade: h2c")
    answer = answer_to(port, head("POST", PATH, JSON, *upgrade, *lengths) + b"0\r\n\r\n" + HIDDEN)
    assert b"malformed_request" in answer
    assert b"alive" not in answer


@attack(
    threat="An upgrade that is taken for done, so that the next request goes past the checks",
    control="Upgrade is not heard: what follows is HTTP/1.1",
    file=PROTOCOL,
)
def test_what_follows_an_upgrade_is_checked_like_any_request(port: int) -> None:
    upgrade = head("GET", "/health/live", "Connection: Upgrade", "Upgrade: websocket", host="localhost")
    with connection(port) as client:
        client.sendall(upgrade + head("GET", "/health/live", "Connection: close", host="evil.example"))
        answers = everything(client)
    assert b" 101 " not in answers
    assert answers.count(b"alive") == 1


@attack(threat="A tunnel through the API to somewhere else", control="There is no CONNECT", file=PROTOCOL)
def test_the_api_is_no_proxy(port: int) -> None:
    assert b"malformed_request" in answer_to(port, head("CONNECT", "evil.example:443", host="localhost"))
    assert b'"not_found"' in problem_of(
        port, head("GET", "http://169.254.169.254/latest/meta-data/", host="localhost")
    )


@attack(
    threat="A request in the body of another is answered",
    control="A body is data, whatever it says",
    file=PROTOCOL,
)
def test_a_request_inside_a_body_is_not_answered(port: int) -> None:
    with connection(port) as client:
        client.sendall(head("GET", "/nowhere", f"Content-Length: {len(HIDDEN)}", host="localhost") + HIDDEN)
        client.sendall(head("GET", "/health/ready", "Connection: close", host="localhost"))
        answers = everything(client)
    assert answers.count(b"HTTP/1.1 ") == 2
    assert b"alive" not in answers


@attack(
    threat="The caller names our own headers as hop-by-hop, to have them dropped",
    control="The token is put on after the caller's headers were sorted out",
    file=HEADERS,
)
def test_the_caller_cannot_have_the_services_token_dropped(api: httpx.Client) -> None:
    headers = {
        "Connection": "authorization, x-request-id, content-length, host",
        "Authorization": "Bearer mine",
    }
    body = json.loads(BODY)
    assert api.post(PATH, json=body, headers=headers).status_code == 200


@attack(
    threat="A line break in a path or a name becomes a header of the answer",
    control="Names are checked, and no text of a request goes into a header unencoded",
    file="containers/data-processor/src/data_processor/datasets/names.py",
)
@pytest.mark.parametrize("name", ["a%0d%0aX-Evil:%201", "a%0aX-Evil:%201", "%0d%0a%0d%0a<script>"])
def test_a_line_break_in_a_name_splits_no_answer(port: int, name: str) -> None:
    for path in (f"/data/datasets/{name}", f"/data/datasets/{name}/content", f"/jobs/{name}"):
        with connection(port) as client:
            client.sendall(head("GET", path, "Connection: close", host="localhost"))
            answer = everything(client).partition(b"\r\n\r\n")[0].lower()
        assert answer.startswith(b"http/1.1 400")
        assert b"x-evil" not in answer


@attack(
    threat="A request id that forges a header or a log line",
    control="Only plain ids of at most 64 letters are adopted",
    file="containers/base/src/ai_semble/context.py",
)
@pytest.mark.parametrize(
    "given", ['x", "level": "ERROR', "<script>", "../../x", "a" * 65, "é", "${jndi:ldap://x}"]
)
def test_a_request_id_that_is_no_plain_id_is_replaced(api: httpx.Client, given: str) -> None:
    answer = api.get("/jobs", headers=[(b"X-Request-ID", given.encode())])
    assert answer.headers["x-request-id"] not in ("", given)
