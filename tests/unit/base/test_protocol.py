"""A client can neither fill the memory with a head nor keep a connection for nothing."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from starlette.types import Receive, Scope, Send

from ai_semble.protocol import MOST_HEAD_BYTES, MOST_SENT_AHEAD, Connections
from tests.support.attacks import attack
from tests.support.raw_http import connection, head, read_until
from tests.support.serving import serving

CONTROL = "ai_semble's HTTP protocol lets a client go that makes the server wait too long"
FILE = "containers/base/src/ai_semble/protocol.py"
LARGE = 8 << 20
LATER_S = 1.5
UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a body with its length and the names of the headers; `/large` and `/long` answer much, `/later` late."""
    if scope["type"] != "http":
        return
    received, more = 0, True
    while more:
        message = await receive()
        received, more = received + len(message.get("body", b"")), message.get("more_body", False)
    if scope["path"] == "/later":
        await asyncio.sleep(LATER_S)
    names = b",".join(name for name, _ in scope["headers"])
    body = b"x" * LARGE if scope["path"] == "/large" else b"%d %s." % (received, names)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/long":
        for _ in range(LARGE >> 16):
            await send({"type": "http.response.body", "body": b"x" * (1 << 16), "more_body": True})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def server(most_idle: int = 100, most_slow: int = 100, client_timeout_s: float = 60) -> Iterator[int]:
    """The port of a server with these limits."""
    connections = Connections(
        "test", most_idle=most_idle, most_slow=most_slow, client_timeout_s=client_timeout_s
    )
    with serving(app, http=connections.protocol) as url:
        yield int(url.rpartition(":")[2])


@pytest.fixture
def port() -> Iterator[int]:
    with server() as made:
        yield made


def is_cut(client: socket.socket) -> bool:
    """Whether the server ends this connection, in time."""
    try:
        while client.recv(65536):
            pass
    except ConnectionError:
        return True
    return True


def received_in_all(client: socket.socket) -> int:
    received = 0
    try:
        while piece := client.recv(1 << 20):
            received += len(piece)
    except ConnectionError:
        pass
    return received


def answers(port: int) -> bool:
    with connection(port) as client:
        client.sendall(head("GET", "/"))
        return b"200 OK" in read_until(client, b".")


def send_until_cut(client: socket.socket, piece: bytes, most_bytes: int) -> int:
    """How many bytes could be sent before the server had enough."""
    sent = 0
    try:
        while sent < most_bytes:
            client.sendall(piece)
            sent += len(piece)
    except (ConnectionError, TimeoutError):
        pass
    return sent


def crowd(stack: ExitStack, port: int, size: int, hello: bytes) -> None:
    """Clients that say this, and nothing more, and read nothing."""
    for _ in range(size):
        stack.enter_context(connection(port, receive_buffer=4096)).sendall(hello)


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: ",
    ],
)
def test_what_has_no_end_is_cut_off_before_it_takes_memory(port: int, begin: bytes) -> None:
    with connection(port) as client:
        client.sendall(begin)
        assert send_until_cut(client, b"a" * 8192, 64 << 20) < 32 << 20
    assert answers(port)


def test_a_head_over_the_limit_is_told_so_and_one_below_it_is_served(port: int) -> None:
    with connection(port) as client:
        client.sendall(head("GET", "/", "X-Long: " + "a" * (MOST_HEAD_BYTES - 100)))
        assert b" 200 " in read_until(client, b".")
    with connection(port) as client:
        client.sendall(head("GET", "/", "X-Long: " + "a" * MOST_HEAD_BYTES))
        answer = read_until(client, b"}")
    assert b" 431 " in answer
    assert b"head_too_large" in answer


def test_what_stands_behind_a_body_is_no_header(port: int) -> None:
    chunked = head("POST", "/", "Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\nAuthorization: x\r\n\r\n"
    with connection(port) as client:
        client.sendall(chunked)
        assert b"1 host,transfer-encoding." in read_until(client, b".")


def test_a_few_requests_may_be_sent_ahead_and_thousands_may_not(port: int) -> None:
    with connection(port) as client:
        client.sendall(head("GET", "/") * MOST_SENT_AHEAD)
        received = b""
        while received.count(b"host.") < MOST_SENT_AHEAD:
            received += read_until(client, b"host.")
    with connection(port) as client:
        send_until_cut(client, head("GET", "/") * 1000, 1 << 20)
        assert is_cut(client)


def test_whoever_sends_too_many_ahead_still_gets_the_answers_to_the_first(port: int) -> None:
    with connection(port) as client:
        client.sendall(head("GET", "/") * 2 * MOST_SENT_AHEAD)
        received = b""
        while piece := client.recv(65536):
            received += piece
    assert received.count(b"host.") == 1 + MOST_SENT_AHEAD
    assert received.count(b"connection: close") == 1


@pytest.mark.parametrize(
    ("headers", "body", "length"),
    [
        ((), b"", 0),
        (("Content-Length: 0",), b"", 0),
        (("Content-Length: 3",), b"abc", 3),
        (("Transfer-Encoding: chunked",), b"2\r\nab\r\n1\r\nc\r\n0\r\nUpgrade: h2c\r\n\r\n", 3),
    ],
)
def test_a_wish_for_another_protocol_is_not_heard(
    port: int, headers: tuple[str, ...], body: bytes, length: int
) -> None:
    """Java's client has it in every request."""
    request = head("POST", "/", *UPGRADE, *headers)
    with connection(port) as client:
        client.sendall((request + body) * 3 + head("GET", "/"))
        received = b""
        while b"0 host." not in received:
            received += read_until(client, b".")
        assert received.count(b"%d host,connection,http2-settings" % length) == 3
        assert received.count(b"HTTP/1.1 200 ") == 4
        client.sendall(request)
        client.sendall(body)
        assert b"%d host" % length in read_until(client, b".")


def test_a_wish_to_leave_is_heard_beside_one_for_another_protocol(port: int) -> None:
    with connection(port) as client:
        client.sendall(head("GET", "/", "Connection: close, Upgrade", "Upgrade: h2c") + head("GET", "/"))
        assert received_in_all(client) < 250


@pytest.mark.parametrize("target", ["evil.example:443", "/"])
def test_nobody_is_connected_to_another_server(port: int, target: str) -> None:
    with connection(port) as client:
        client.sendall(head("CONNECT", target, *UPGRADE))
        assert b"malformed_request" in read_until(client, b"}")


@attack(threat="Slow-loris: a head that never ends", control=CONTROL, file=FILE)
def test_a_client_that_never_finishes_its_head_is_let_go() -> None:
    with server(client_timeout_s=1) as port, connection(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost:")
        assert is_cut(client)


@attack(threat="A connection on which nothing is ever sent", control=CONTROL, file=FILE)
def test_a_client_that_says_nothing_is_let_go() -> None:
    with server(client_timeout_s=1) as port, connection(port) as client:
        assert is_cut(client)


@attack(threat="A body that is announced and never sent", control=CONTROL, file=FILE)
def test_a_client_that_holds_its_body_back_is_let_go() -> None:
    with server(client_timeout_s=1) as port, connection(port) as client:
        client.sendall(head("POST", "/", "Content-Length: 1000") + b"a")
        assert is_cut(client)


@attack(threat="A client that asks for much and reads nothing", control=CONTROL, file=FILE)
def test_a_client_that_does_not_read_its_answer_is_let_go() -> None:
    with server(most_slow=1) as port, ExitStack() as stack:
        readers = [stack.enter_context(connection(port, receive_buffer=4096)) for _ in range(8)]
        for reader in readers:
            reader.sendall(head("GET", "/large"))
            assert reader.recv(12)
        assert answers(port)
        assert received_in_all(readers[0]) < LARGE


def test_a_client_that_keeps_sending_is_not_slow() -> None:
    with server(client_timeout_s=1) as port, connection(port) as client:
        client.sendall(head("POST", "/", f"Content-Length: {LARGE}"))
        client.sendall(b"x" * LARGE)
        assert f"{LARGE} host".encode() in read_until(client, b".")


@attack(threat="More connections than there is room for", control=CONTROL, file=FILE)
@pytest.mark.parametrize("hello", [b"", b"GET / HT", head("POST", "/", "Content-Length: 9")])
def test_a_new_connection_takes_the_place_of_the_one_that_waited_longest(hello: bytes) -> None:
    with server(most_idle=8, most_slow=8) as port, ExitStack() as stack:
        first = stack.enter_context(connection(port))
        first.sendall(hello)
        for _ in range(20):
            stack.enter_context(connection(port)).sendall(hello)
        assert is_cut(first)
        assert answers(port)


def test_an_upload_that_goes_on_is_not_let_go_for_others() -> None:
    pieces = 80
    with server(most_slow=4) as port, ExitStack() as stack:
        client = stack.enter_context(connection(port))
        client.sendall(head("POST", "/", f"Content-Length: {pieces * 1024}"))
        for number in range(pieces):
            client.sendall(b"x" * 1024)
            time.sleep(0.05)
            if number >= 30:
                crowd(stack, port, 3, head("POST", "/", "Content-Length: 9"))
        assert f"{pieces * 1024} host".encode() in read_until(client, b".")


def test_a_client_that_reads_on_is_not_let_go_for_others() -> None:
    with server(most_slow=4) as port, ExitStack() as stack:
        client = stack.enter_context(connection(port, receive_buffer=65536))
        client.sendall(head("GET", "/large"))
        received = 0
        for number in range(40):
            received += len(client.recv(65536))
            time.sleep(0.05)
            if number >= 20:
                crowd(stack, port, 2, head("GET", "/large"))
        assert received + received_in_all(client) > LARGE


@pytest.mark.parametrize("target", ["/large", "/long"])
def test_a_client_that_reads_on_has_as_long_as_it_takes(target: str) -> None:
    """The kernel takes megabytes at once from the server, which hears nothing for as long as those last."""
    with server(client_timeout_s=2) as port, connection(port, receive_buffer=65536) as client:
        client.sendall(head("GET", target))
        received = 0
        for _ in range(20):
            received += len(client.recv(65536))
            time.sleep(0.25)
        assert received + received_in_all(client) > LARGE


@attack(threat="One client that asks for much and reads nothing", control=CONTROL, file=FILE)
@pytest.mark.parametrize("target", ["/large", "/long"])
def test_a_client_that_reads_nothing_is_let_go_when_its_time_is_over(target: str) -> None:
    with server(client_timeout_s=1) as port, connection(port, receive_buffer=4096) as client:
        client.sendall(head("GET", target))
        time.sleep(4)
        assert received_in_all(client) < LARGE


def test_a_request_sent_ahead_is_not_let_go_while_it_is_answered() -> None:
    with server(most_idle=2) as port, ExitStack() as stack:
        client = stack.enter_context(connection(port))
        client.sendall(head("GET", "/") + head("GET", "/later"))
        read_until(client, b"host.")
        crowd(stack, port, 20, b"")
        assert b" 200 " in read_until(client, b"host.")


def test_a_client_is_watched_again_after_nobody_was() -> None:
    with server(client_timeout_s=1) as port, connection(port) as client:
        client.sendall(head("GET", "/later"))
        read_until(client, b"host.")
        client.sendall(b"GET / HTTP/1.1\r\nHost:")
        assert is_cut(client)
