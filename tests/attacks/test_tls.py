"""Attacks on the door for other machines: its TLS, its keys, and what a stranger says of itself."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.hosts.fixtures import POD_TARGETS
from tests.support.attacks import attack
from tests.support.certificates import self_signed
from tests.support.exposed import START_S, Exposed, exposed, private_variables, run
from tests.support.raw_http import head

TLS = "containers/base/src/ai_semble/tls.py"
HANDSHAKE = "containers/base/src/ai_semble/handshake.py"
PROTOCOL = "containers/base/src/ai_semble/protocol.py"
OUTSIDE = "containers/base/src/ai_semble/outside.py"
EXPOSURE = "containers/base/src/ai_semble/exposure.py"
LAYER = "containers/orchestrator/src/orchestrator/access/layer.py"
WRONG = f"ais_{'1' * 12}_{'2' * 64}"
PATIENCE_S = 2
SOON_S = 30


@pytest.fixture(scope="module")
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exposed]:
    if request.config.getoption("--target") in POD_TARGETS:
        pytest.skip("the door of a pod is in tests/machine/test_expose.py; this one is a process of its own")
    folder = tmp_path_factory.mktemp("door")
    with exposed(folder, self_signed(folder), server__client_timeout_s=str(PATIENCE_S)) as made:
        yield made


@pytest.fixture(autouse=True)
def well(door: Exposed) -> Iterator[None]:
    """After each attack the door is there for its friends; the environment of the other attacks is not needed."""
    yield
    with door.outer(door.key) as friend:
        assert friend.get("/jobs").status_code == 200


def speak(door: Exposed, context: ssl.SSLContext) -> str | None:
    """The cipher that the door agrees to with such a client. Raises SSLError."""
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", door.outer_port), timeout=SOON_S) as connection,
        context.wrap_socket(connection) as spoken,
    ):
        return (spoken.cipher() or (None,))[0]


def client_of(*ciphers: str, highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> ssl.SSLContext:
    """One that would take anything up to this version."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.set_ciphers(":".join(["@SECLEVEL=0", *ciphers]))
    with pytest.warns(DeprecationWarning):
        made.minimum_version, made.maximum_version = ssl.TLSVersion.TLSv1, highest
    return made


def test_what_is_tried_below_fails_for_its_reason(door: Exposed) -> None:
    """The same clients are welcome with what is good."""
    assert speak(door, client_of("ALL")) in ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256")
    assert speak(door, client_of("ECDHE-ECDSA-CHACHA20-POLY1305")) == "ECDHE-ECDSA-CHACHA20-POLY1305"


@attack(threat="Downgrade to TLS 1.1, which is broken", control="Nothing below TLS 1.2", file=TLS)
def test_tls_1_1_is_refused(door: Exposed) -> None:
    with pytest.raises(ssl.SSLError, match=r"EOF|ALERT"):
        speak(door, client_of("ALL", highest=ssl.TLSVersion.TLSv1_1))


@attack(
    threat="A cipher of TLS 1.2 that has been broken before, as those with CBC",
    control="Of TLS 1.2 only ECDHE with AES-GCM or ChaCha20",
    file=TLS,
)
@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256"])
def test_weak_ciphers_are_refused(door: Exposed, cipher: str) -> None:
    with pytest.raises(ssl.SSLError, match=r"EOF|ALERT"):
        speak(door, client_of(cipher))


@attack(
    threat="Plain HTTP where TLS is, to have a key sent readable", control="TLS or nothing", file=HANDSHAKE
)
def test_plain_http_is_not_answered_where_tls_is(door: Exposed) -> None:
    with socket.create_connection(("127.0.0.1", door.outer_port), timeout=SOON_S) as connection:
        connection.sendall(head("GET", "/health/live"))
        assert not ended_with(connection).startswith(b"HTTP")


def ended_with(connection: socket.socket) -> bytes:
    said = b""
    try:
        while piece := connection.recv(65536):
            said += piece
    except ConnectionError:
        pass
    return said


@attack(
    threat="Connections that never begin their handshake, until there is no room for another",
    control="Handshakes are counted, and the one that is longest at it makes room",
    file=HANDSHAKE,
)
def test_handshakes_that_never_end_leave_room_for_others(door: Exposed) -> None:
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", door.outer_port), timeout=SOON_S))
            for _ in range(400)
        ]
        with door.outer(door.key) as friend:
            assert [friend.get("/jobs").status_code for _ in range(3)] == [200] * 3
        assert ended_with(silent[0]) == b""


@attack(
    threat="Slow-loris through TLS: a head that never ends",
    control="A client that makes the server wait has `client_timeout_s`, with TLS as without",
    file=PROTOCOL,
)
def test_a_head_that_never_ends_is_let_go_with_tls_as_well(door: Exposed) -> None:
    context = door.trusting()
    assert isinstance(context, ssl.SSLContext)
    with (
        socket.create_connection(("127.0.0.1", door.outer_port), timeout=SOON_S) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as spoken,
    ):
        spoken.sendall(b"GET /jobs HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        deadline = time.monotonic() + SOON_S
        try:
            while spoken.recv(1):
                assert time.monotonic() < deadline
        except (ConnectionError, ssl.SSLError):
            pass


@attack(
    threat="Another machine uses the API without a key, since loopback needs none",
    control="Whoever comes through the outer door needs a key, whatever `access.required` says",
    file=LAYER,
)
def test_the_outer_door_opens_to_no_one_without_a_key(door: Exposed) -> None:
    with door.outer() as stranger, door.outer(WRONG) as liar:
        for path in ("/jobs", "/v1/models", "/health", "/metrics", "/openapi.json"):
            assert stranger.get(path).status_code == 401, path
        assert liar.get("/jobs").status_code == 401


@attack(
    threat="The environment's own token, read from a service, used from another machine",
    control="The token opens nothing at the outer door",
    file=LAYER,
)
def test_the_environments_own_token_is_no_key_outside(door: Exposed) -> None:
    token = (door.state / "service.token").read_text().strip()
    with door.outer(token) as thief:
        assert thief.get("/jobs").status_code == 401


@attack(
    threat="A reverse proxy that somebody put before the door on loopback lets the world in without a key",
    control="A request that a proxy has passed on needs a key on loopback, too",
    file=OUTSIDE,
)
@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_what_was_passed_on_to_loopback_needs_a_key(door: Exposed, header: str) -> None:
    with door.inner(**{header: "for=203.0.113.9"}) as passed_on, door.inner() as local:
        assert passed_on.get("/jobs").json()["code"] == "api_key_required"
        assert local.get("/jobs").status_code == 200


@attack(
    threat="A guesser of keys says with each guess that it is somebody else (X-Forwarded-For)",
    control="Only a proxy that is named is believed; wrong keys are counted for the address of the connection",
    file=OUTSIDE,
)
def test_a_forged_address_does_not_escape_the_lock_out(door: Exposed) -> None:
    guess = f"ais_{'a' * 12}_{'b' * 64}"
    with door.outer(guess) as guesser:
        answers = [
            guesser.get("/jobs", headers={"X-Forwarded-For": f"203.0.113.{number}"}).status_code
            for number in range(6)
        ]
    assert answers[-1] == 429


@attack(
    threat="A page of another name reaches the API by saying which name was meant (X-Forwarded-Host)",
    control="Only a proxy that is named may say it",
    file=OUTSIDE,
)
def test_a_forged_host_is_not_believed(door: Exposed) -> None:
    forged = {"Host": "evil.example", "X-Forwarded-Host": "localhost"}
    with door.outer(door.key) as page:
        assert page.get("/jobs", headers=forged).json()["code"] == "host_not_allowed"


@attack(
    threat="The API is put on the network without a key, or without TLS, by oversight",
    control="The start is refused until there is a valid key and a certificate, or plain HTTP is wished for",
    file=EXPOSURE,
)
def test_exposing_without_keys_or_tls_is_refused(tmp_path: Path) -> None:
    variables = private_variables(tmp_path, expose__address="0.0.0.0")  # noqa: S104 - refused
    refused = run(variables, "serve", "orchestrator", check=False)
    assert refused.returncode == 1
    assert b"no valid API key" in refused.stderr
    run(variables, "keys", "create", "test")
    refused = run(variables, "serve", "orchestrator", check=False)
    assert refused.returncode == 1
    assert b"no certificate" in refused.stderr


@attack(
    threat="All keys are taken back, and the door that they guarded stays open",
    control="Outside a key is needed even when there is none",
    file=LAYER,
)
def test_without_any_key_left_nobody_comes_in(tmp_path: Path) -> None:
    with exposed(tmp_path, self_signed(tmp_path)) as made, made.outer(made.key) as friend:
        assert friend.get("/jobs").status_code == 200
        made.run("keys", "revoke", "test")
        deadline = time.monotonic() + START_S
        while friend.get("/jobs").status_code != 401:
            assert time.monotonic() < deadline
        with made.outer() as stranger:
            assert stranger.get("/jobs").status_code == 401
