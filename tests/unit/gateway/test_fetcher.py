"""The fetcher gets a file from where it may, bounded in every way, and is led nowhere else."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import subprocess
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from ai_semble.config import FetchConfig
from ai_semble.errors import AiSembleError, Overloaded
from ai_semble.metrics import Metrics
from orchestrator.fetcher.errors import (
    InvalidUrl,
    UrlFetchFailed,
    UrlNotAllowed,
    UrlTimeout,
    UrlTooLarge,
    UrlWrongType,
)
from orchestrator.fetcher.fetcher import Fetcher
from tests.support.attacks import attack
from tests.support.upstream import Answer, Exchange, Upstream, answering, upstream

IMAGES = ("image/", "application/octet-stream")
PICTURE = b"\x89PNG" + bytes(range(256)) * 100


@pytest.fixture
def files() -> Iterator[Upstream]:
    with upstream() as server:
        server.answer = answering(200, "image/png", PICTURE)
        yield server


def fetcher(*exempt: str, tls: ssl.SSLContext | None = None, **keys: Any) -> Fetcher:
    config = FetchConfig(allowed_private_hosts=exempt, **{"timeout_s": 3, "max_bytes": 50_000, **keys})
    return Fetcher(config, Metrics("orchestrator"), tls)


async def fetch(which: Fetcher, url: str) -> bytes:
    async with which.open(url, IMAGES) as found:
        return b"".join([chunk async for chunk in found.chunks])


def at(server: Upstream, **keys: Any) -> Fetcher:
    return fetcher(f"127.0.0.1:{server.port}", **keys)


async def test_a_picture_is_fetched_with_its_type(files: Upstream) -> None:
    async with at(files).open(f"{files.url}/a.png?b=%20", IMAGES) as found:
        assert found.content_type == "image/png"
        assert b"".join([chunk async for chunk in found.chunks]) == PICTURE
    seen = files.last()
    assert seen.target == "/a.png?b=%20"
    assert seen.headers["host"] == f"127.0.0.1:{files.port}"
    assert seen.headers["accept-encoding"] == "identity"
    assert not {"cookie", "authorization", "x-request-id", "referer"} & set(seen.headers)


@attack(
    threat="A service that was taken over sends data away in a URL",
    control="`network.egress = none`: nothing is fetched, not even what is allowed otherwise",
    file="containers/orchestrator/src/orchestrator/fetcher/fetcher.py",
)
async def test_without_egress_nothing_is_fetched(files: Upstream) -> None:
    config = FetchConfig(allowed_private_hosts=(f"127.0.0.1:{files.port}",))
    closed = Fetcher(config, Metrics("orchestrator"), egress=False)
    with pytest.raises(UrlNotAllowed) as caught:
        await fetch(closed, f"{files.url}/a.png")
    assert "network.egress" in caught.value.user_hint
    assert not files.seen


# What somebody would try in order to reach a service on this machine, its network or its cloud.
ATTEMPTS = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://127.0.0.1/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://127.0.0.2/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://0/",
    "http://0.0.0.0/",
    "http://[::]/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25lo]/",
    "http://[fc00::1]/",
    "http://[ff02::1]/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fd00:ec2::254]/",
    "http://168.63.129.16/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://user:password@127.0.0.1/",
    "http://example.com@127.0.0.1/",
    "http://127.0.0.1#@example.com/",
    "http://127.0.0.1\\@example.com/",
    "http://①②⑦.⓪.⓪.①/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "http://127。0。0。1/",
    "http://%31%32%37.0.0.1/",
    "https://127.0.0.1/",
    "https://localhost/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "http://127.0.0.1:6379/",
    "http://1.1.1.1:22/",
    "http://127.0.0.1:443\r\nHost: example.com/",
    "unix:///var/run/docker.sock",
]


@pytest.mark.parametrize("url", ATTEMPTS)
async def test_nothing_private_is_reached_however_it_is_written(files: Upstream, url: str) -> None:
    with pytest.raises((UrlNotAllowed, InvalidUrl)) as caught:
        await fetch(fetcher("minio.internal:9000"), url.replace("{port}", str(files.port)))
    assert caught.value.user_hint
    assert not files.seen


class Names:
    """Stands for the resolver: names with the addresses of each look-up in turn."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = {name.replace("_", "."): addresses for name, addresses in answers.items()}
        self.asked: list[str] = []

    async def getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        if host not in self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        found = self.answers[host]
        # A list of one-element turns is a name that changes its mind.
        now = found[min(len(self.asked), len(found)) - 1] if found[0].startswith("turn ") else None
        addresses = [now.removeprefix("turn ")] if now else found
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    made = Names()
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", made.getaddrinfo)
    return made


@attack(
    threat="A name with a public and a private address",
    control="Every address of a name is checked",
    file="containers/orchestrator/src/orchestrator/fetcher/fetcher.py",
)
@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.1.2.3"], ["169.254.169.254"], ["1.1.1.1", "127.0.0.1"], ["127.0.0.1", "1.1.1.1"]],
)
async def test_a_name_is_refused_when_any_of_its_addresses_is_private(
    names: Names, addresses: list[str]
) -> None:
    names.answers["rebind.example"] = addresses
    with pytest.raises(UrlNotAllowed, match=r"rebind\.example"):
        await fetch(fetcher(), "http://rebind.example/")


@attack(
    threat="DNS rebinding of a URL: a name that is public when checked and private when fetched",
    control="Resolved once; the connection goes to the checked address",
    file="containers/orchestrator/src/orchestrator/fetcher/pinned.py",
)
async def test_a_name_that_changes_its_mind_is_asked_once(names: Names, files: Upstream) -> None:
    """DNS rebinding: the second answer would be the one that is connected to."""
    names.answers["rebind.example"] = ["turn 127.0.0.1", "turn 10.0.0.1"]
    found = await fetch(fetcher(f"rebind.example:{files.port}"), f"http://rebind.example:{files.port}/")
    assert found == PICTURE
    assert names.asked == ["rebind.example"]
    assert files.last().headers["host"] == f"rebind.example:{files.port}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_a_private_address_is_refused(files: Upstream, status: int) -> None:
    files.answer = answering(status, "text/plain", b"", "Location: http://169.254.169.254/latest/")
    with pytest.raises(UrlNotAllowed, match=r"169\.254\.169\.254"):
        await fetch(at(files), files.url)


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost:1/",
        "file:///etc/passwd",
        "//127.0.0.1/",
        "http://u:p@example.com/",
        "http://0x7f.1/",
    ],
)
async def test_every_redirect_is_checked_like_the_first_url(files: Upstream, location: str) -> None:
    files.answer = answering(302, "text/plain", b"", f"Location: {location}")
    with pytest.raises((UrlNotAllowed, InvalidUrl)):
        await fetch(at(files), files.url)


def redirecting(times: int) -> Answer:
    async def answer(exchange: Exchange) -> None:
        hop = int(exchange.seen.target.rpartition("/")[2] or 0)
        if hop < times:
            await exchange.answer(302, "text/plain", b"moved", f"Location: ./{hop + 1}")
        else:
            await exchange.answer(200, "image/png", PICTURE)

    return answer


async def test_redirects_are_followed_up_to_the_limit(files: Upstream) -> None:
    files.answer = redirecting(3)
    assert await fetch(at(files), f"{files.url}/0") == PICTURE
    files.answer = redirecting(4)
    with pytest.raises(UrlFetchFailed, match="more than 3 redirects"):
        await fetch(at(files), f"{files.url}/0")


@attack(
    threat="A server answers without end",
    control="`fetch.max_bytes`, counted as it comes",
    file="containers/orchestrator/src/orchestrator/fetcher/decoding.py",
)
async def test_a_file_over_the_limit_is_refused_announced_or_not(files: Upstream) -> None:
    sent = 0

    async def endless(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.head(200, "Content-Type: image/png", "Transfer-Encoding: chunked")
        while True:
            await exchange.chunk(b"x" * 10_000)
            sent += 10_000

    files.answer = answering(200, "image/png", b"x" * 50_001)
    with pytest.raises(UrlTooLarge, match="50001"):
        await fetch(at(files), files.url)
    files.answer = endless
    with pytest.raises(UrlTooLarge):
        await fetch(at(files), files.url)
    assert await asyncio.to_thread(files.last().ended.wait, 5)


@attack(
    threat="A server answers with a gzip bomb",
    control="Unpacked piece by piece, up to `fetch.max_bytes`",
    file="containers/orchestrator/src/orchestrator/fetcher/decoding.py",
)
@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compressed_file_is_unpacked_and_a_bomb_does_not_go_off(
    files: Upstream, encoding: str, pack: Any
) -> None:
    files.answer = answering(200, "image/png", pack(PICTURE), f"Content-Encoding: {encoding}")
    assert await fetch(at(files), files.url) == PICTURE
    bomb = pack(b"\0" * 20_000_000)
    assert len(bomb) < 50_000
    files.answer = answering(200, "image/png", bomb, f"Content-Encoding: {encoding}")
    with pytest.raises(UrlTooLarge):
        await fetch(at(files), files.url)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", b"no gzip"), ("gzip", gzip.compress(PICTURE)[:-20]), ("br", b"x"), ("gzip, gzip", b"x")],
)
async def test_a_file_that_cannot_be_unpacked_is_a_failure(
    files: Upstream, encoding: str, body: bytes
) -> None:
    files.answer = answering(200, "image/png", body, f"Content-Encoding: {encoding}")
    with pytest.raises(UrlFetchFailed):
        await fetch(at(files), files.url)


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json", "video/mp4", "imagery/x"])
async def test_a_page_is_no_picture(files: Upstream, kind: str) -> None:
    files.answer = answering(200, kind, b"<html>")
    with pytest.raises(UrlWrongType, match=kind.partition(";")[0]):
        await fetch(at(files), files.url)


@pytest.mark.parametrize("status", [204, 206, 304, 401, 404, 410, 500, 503])
async def test_any_status_but_200_is_a_failure_that_names_it(files: Upstream, status: int) -> None:
    files.answer = answering(status, "image/png", b"")
    with pytest.raises(UrlFetchFailed, match=str(status)):
        await fetch(at(files), files.url)


@attack(
    threat="A server answers a byte at a time",
    control="`fetch.timeout_s` for all of it",
    file="containers/orchestrator/src/orchestrator/fetcher/fetcher.py",
)
async def test_a_slow_server_is_left_after_the_time_for_everything(files: Upstream) -> None:
    async def drip(exchange: Exchange) -> None:
        await exchange.head(200, "Content-Type: image/png", "Transfer-Encoding: chunked")
        while True:
            await exchange.chunk(b"x")
            await asyncio.sleep(0.05)

    for answer in (drip, Exchange.gone):
        files.answer = answer
        started = time.monotonic()
        with pytest.raises(UrlTimeout):
            await fetch(at(files, timeout_s=0.4), files.url)
        assert time.monotonic() - started < 2


async def test_a_server_that_breaks_off_is_a_failure(files: Upstream) -> None:
    async def cut(exchange: Exchange) -> None:
        exchange.cut()

    async def half(exchange: Exchange) -> None:
        await exchange.head(200, "Content-Type: image/png", "Content-Length: 1000")
        await exchange.send(b"x" * 10)
        exchange.cut()

    for answer in (cut, half):
        files.answer = answer
        with pytest.raises(UrlFetchFailed):
            await fetch(at(files), files.url)


async def test_a_name_that_does_not_exist_and_a_port_that_is_closed_are_failures(names: Names) -> None:
    with pytest.raises(UrlFetchFailed, match=r"nowhere\.example could not be resolved"):
        await fetch(fetcher(), "http://nowhere.example/")
    with pytest.raises(UrlFetchFailed, match=r"127\.0\.0\.1"):
        await fetch(fetcher("127.0.0.1:1"), "http://127.0.0.1:1/")


@attack(
    threat="A proxy of the environment reaches what may not be reached",
    control="Proxies of the environment are not used",
    file="containers/orchestrator/src/orchestrator/fetcher/pinned.py",
)
async def test_proxies_of_the_environment_are_not_used(
    files: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await fetch(at(files), files.url) == PICTURE


async def test_only_so_many_are_fetched_at_once(files: Upstream) -> None:
    which = at(files, max_parallel=1)
    async with which.open(files.url, IMAGES):
        with pytest.raises(Overloaded):
            await fetch(which, files.url)
    assert await fetch(which, files.url) == PICTURE


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=files.example",
    ]
    names = ["-addext", "subjectAltName=DNS:files.example", "-keyout", str(key), "-out", str(chain)]
    subprocess.run([*command, *names], check=True, capture_output=True)
    return key, chain


@pytest.fixture
async def tls_port(certificate: tuple[Path, Path]) -> AsyncIterator[tuple[int, list[str]]]:
    """A TLS server for files.example, and the names that clients asked for."""
    key, chain = certificate
    asked: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    context.sni_callback = lambda _, name, __: asked.append(name or "")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 3\r\n\r\nPNG")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


async def test_tls_is_for_the_name_in_the_url_though_the_address_is_pinned(
    names: Names, certificate: tuple[Path, Path], tls_port: tuple[int, list[str]]
) -> None:
    port, asked = tls_port
    names.answers = {"files.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    trusting = ssl.create_default_context(cafile=str(certificate[1]))
    hosts = (f"files.example:{port}", f"other.example:{port}")
    assert await fetch(fetcher(*hosts, tls=trusting), f"https://files.example:{port}/") == b"PNG"
    assert asked == ["files.example"]
    for which, url in ((trusting, hosts[1]), (None, hosts[0])):
        with pytest.raises(UrlFetchFailed, match=r"(?i)certificate"):
            await fetch(fetcher(*hosts, tls=which), f"https://{url}/")


@pytest.mark.parametrize("url", ["http://nas.local:8000/a.jpg", "http://192.168.1.2/a.jpg"])
async def test_who_is_refused_a_server_of_their_own_reads_how_to_allow_it(url: str) -> None:
    with pytest.raises(UrlNotAllowed) as refused:
        await fetch(fetcher(), url)
    assert "`fetch.allowed_private_hosts`" in refused.value.user_hint


def test_every_error_of_the_fetcher_tells_what_to_do() -> None:
    for kind in (InvalidUrl, UrlNotAllowed, UrlFetchFailed, UrlTimeout, UrlTooLarge, UrlWrongType):
        assert issubclass(kind, AiSembleError)
        assert kind.hint
        assert 400 <= kind.status < 500
