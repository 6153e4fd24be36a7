"""The door for other machines: a second address that always needs a key, with TLS, beside the one on loopback."""

from __future__ import annotations

import calendar
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.certificates import expired, self_signed
from tests.support.exposed import Exposed, exposed
from tests.support.raw_http import head, wait_until

METRIC = "ai_semble_certificate_expiry_timestamp_seconds{"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exposed]:
    folder = tmp_path_factory.mktemp("tls")
    with exposed(folder, self_signed(folder)) as made:
        yield made


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exposed]:
    """Without TLS, for a proxy on this machine."""
    names = "localhost, 127.0.0.1, gpu-box.example"
    folder = tmp_path_factory.mktemp("behind")
    with exposed(folder, expose__trusted_proxies="local", server__allowed_hosts=names) as made:
        yield made


def test_outside_a_key_is_needed_and_inside_none_is(tls: Exposed) -> None:
    with tls.outer() as stranger, tls.outer(tls.key) as friend, tls.inner() as local:
        assert stranger.get("/jobs").json()["code"] == "api_key_required"
        assert friend.get("/jobs").status_code == 200
        assert local.get("/jobs").status_code == 200


def test_with_tls_browsers_are_told_to_stay_with_it(tls: Exposed) -> None:
    with tls.outer() as outer, tls.inner() as inner:
        assert "max-age" in outer.get("/jobs").headers["strict-transport-security"]
        assert "strict-transport-security" not in inner.get("/jobs").headers


def test_many_come_at_once(tls: Exposed) -> None:
    def ask(_: int) -> int:
        with tls.outer(tls.key) as client:
            return client.get("/jobs").status_code

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(ask, range(60))) == {200}


def test_a_request_in_the_last_packet_of_the_handshake_is_answered(tls: Exposed) -> None:
    context = tls.trusting()
    assert isinstance(context, ssl.SSLContext)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", tls.outer_port), timeout=10) as connection:
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(to_server.read())
                to_client.write(connection.recv(65536))
        client.write(head("GET", "/health/live"))
        connection.sendall(to_server.read())
        said = b""
        while b"alive" not in said:
            try:
                said += client.read()
            except ssl.SSLWantReadError:
                to_client.write(connection.recv(65536))
    assert said.startswith(b"HTTP/1.1 200")


def test_a_renewed_certificate_is_taken_without_a_restart_and_an_expired_one_is_reported(
    tmp_path: Path,
) -> None:
    first, old = self_signed(tmp_path), expired(tmp_path)
    with exposed(tmp_path, first) as made, made.inner() as inner:
        assert "certificate" not in inner.get("/health").json()["reason"]
        made.run("certificate", "install", stdin=old.pem)
        shown = ssl.get_server_certificate(("127.0.0.1", made.outer_port))
        wanted = old.certificate.read_text().partition("-----BEGIN")[2]
        assert ssl.PEM_cert_to_DER_cert(shown) == ssl.PEM_cert_to_DER_cert(f"-----BEGIN{wanted}")
        wait_until(lambda: says_expired(inner), "health says that the certificate has expired")
        expiry = calendar.timegm((2020, 1, 31, 0, 0, 0))
        (line,) = (one for one in inner.get("/metrics").text.splitlines() if one.startswith(METRIC))
        assert float(line.rpartition(" ")[2]) == expiry
        assert inner.get("/health/live").status_code == 200


def says_expired(inner: httpx.Client) -> bool:
    own = inner.get("/health").json()["services"]["orchestrator"]
    return own["state"] == "degraded" and "expired on 2020-01-31" in own["reason"]


def test_a_trusted_proxy_says_who_asks_by_which_name_and_how(behind: Exposed) -> None:
    told = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    with behind.outer(behind.key, **told) as outer:
        by_name = outer.get("/jobs", headers={"X-Forwarded-Host": "gpu-box.example"})
        assert by_name.status_code == 200
        assert "strict-transport-security" in by_name.headers
        unknown = outer.get("/jobs", headers={"X-Forwarded-Host": "evil.example"})
        assert unknown.json()["code"] == "host_not_allowed"


def test_of_a_trusted_proxy_each_client_is_locked_out_by_itself(behind: Exposed) -> None:
    wrong = f"ais_{'1' * 12}_{'2' * 64}"

    def tries(client: str) -> list[int]:
        with behind.outer(wrong, **{"X-Forwarded-For": client}) as outer:
            return [outer.get("/jobs").status_code for _ in range(6)]

    assert tries("203.0.113.1")[-1] == 429
    assert 429 not in tries("203.0.113.2")[:5]
