"""Streams pass as they come, in both directions, and end when either side ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from tests.support.raw_http import connection, head, read_until, wait_until
from tests.support.upstream import Exchange, Upstream
from tests.unit.gateway.conftest import Gateway

CHAT = "/v1/chat/completions"
UPLOAD = "/data/datasets/big"
MIB = 1024 * 1024
# The buffers of two loopback connections, at the largest that Linux makes them.
HELD_BY_KERNEL = 100 * MIB


def arrived(service: Upstream, size: int) -> bool:
    return bool(service.seen) and len(service.last().body) >= size


def in_flight(gateway: Gateway) -> dict[str, int]:
    lines = httpx.get(f"{gateway.url}/metrics").text.splitlines()
    found = (line for line in lines if line.startswith("ai_semble_gateway_in_flight{"))
    return {line.split('upstream="')[1].split('"')[0]: int(float(line.split()[-1])) for line in found}


def test_each_event_reaches_the_client_before_the_next_is_made(gateway: Gateway) -> None:
    received = threading.Semaphore(0)

    async def events(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.head(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
        for number in range(5):
            await exchange.chunk(f"data: {number}\n\n".encode())
            await asyncio.to_thread(received.acquire, timeout=5)
        await exchange.send(b"0\r\n\r\n")

    gateway.llm.answer = events
    seen = []
    with httpx.stream("POST", gateway.url + CHAT, content=b"{}") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        for piece in answer.iter_bytes():
            seen.append(piece)
            received.release()
    assert seen == [f"data: {number}\n\n".encode() for number in range(5)]


def test_an_upload_reaches_the_service_while_it_is_being_sent(gateway: Gateway) -> None:
    data = gateway.services["data-processor"]

    def pieces() -> Iterator[bytes]:
        for number in range(8):
            yield bytes([number]) * MIB
            enough = (number + 1) * MIB - 65536
            wait_until(partial(arrived, data, enough), f"piece {number} arrives")

    answer = httpx.put(gateway.url + UPLOAD, content=pieces(), timeout=20)
    assert answer.status_code == 200
    assert len(data.last().body) == 8 * MIB
    assert data.last().headers["transfer-encoding"] == "chunked"


def test_an_upload_of_known_length_keeps_it(gateway: Gateway) -> None:
    data = gateway.services["data-processor"]
    body = b"0123456789" * 1_000_000
    assert httpx.put(gateway.url + UPLOAD, content=body, timeout=20).status_code == 200
    assert data.last().body == body
    assert data.last().headers["content-length"] == str(len(body))
    assert "transfer-encoding" not in data.last().headers


def test_a_service_that_reads_slowly_slows_the_client_down(gateway: Gateway) -> None:
    """Otherwise the gateway would hold the rest of the upload in its memory."""
    go_on = threading.Event()

    async def read_late(exchange: Exchange) -> None:
        await asyncio.to_thread(go_on.wait, 5)
        await exchange.read_body()
        await exchange.answer(200, "text/plain", b"ok")

    gateway.services["data-processor"].answer = read_late
    total, sent = 256 * MIB, 0
    with connection(gateway.port) as client:
        client.sendall(head("PUT", UPLOAD, f"Content-Length: {total}"))
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            while sent < total:
                sent += client.send(b"x" * 65536)
        assert sent < HELD_BY_KERNEL
        go_on.set()
        client.settimeout(60)
        while sent < total:
            sent += client.send(b"x" * min(65536, total - sent))
        assert b" 200 " in read_until(client, b"ok")


def test_a_client_that_reads_slowly_slows_the_service_down(gateway: Gateway) -> None:
    sent = 0

    async def download(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.head(200, f"Content-Length: {256 * MIB}")
        for _ in range(4096):
            await exchange.send(b"y" * 65536)
            sent += 65536

    gateway.services["data-processor"].answer = download
    with connection(gateway.port, receive_buffer=65536) as client:
        client.sendall(head("GET", "/data/datasets/big/content"))
        read_until(client, b"\r\n\r\n")
        before = -1
        while sent != before:
            before = sent
            time.sleep(0.3)
        assert sent < HELD_BY_KERNEL
        received = 0
        while received < HELD_BY_KERNEL + MIB:
            received += len(client.recv(1 << 20))


def test_a_client_that_leaves_before_the_answer_ends_the_call(gateway: Gateway) -> None:
    async def think(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.gone()

    gateway.llm.answer = think
    with connection(gateway.port) as client:
        client.sendall(head("POST", CHAT, "Content-Length: 2") + b"{}")
        wait_until(lambda: bool(gateway.llm.seen and gateway.llm.last().body), "the service has the request")
        started = time.monotonic()
    assert gateway.llm.last().ended.wait(5)
    assert time.monotonic() - started < 0.9, "only the silence limit ended it"
    wait_until(lambda: in_flight(gateway)["llm"] == 0, "the slot is free again")


def test_a_client_that_leaves_a_stream_ends_the_generation(gateway: Gateway) -> None:
    async def generate(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.head(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
        with_client = asyncio.ensure_future(exchange.gone())
        while not with_client.done():
            await exchange.chunk(b"data: token\n\n")
            await asyncio.sleep(0.01)

    gateway.llm.answer = generate
    with connection(gateway.port) as client:
        client.sendall(head("POST", CHAT, "Content-Length: 2") + b"{}")
        read_until(client, b"token")
    assert gateway.llm.last().ended.wait(5)
    wait_until(lambda: in_flight(gateway)["llm"] == 0, "the slot is free again")


def test_a_client_that_leaves_a_silent_stream_ends_the_generation(gateway: Gateway) -> None:
    """Nothing is being sent when it leaves, so that only listening can tell."""

    async def pause(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.head(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
        await exchange.chunk(b"data: token\n\n")
        await exchange.gone()

    gateway.llm.answer = pause
    with connection(gateway.port) as client:
        client.sendall(head("POST", CHAT, "Content-Length: 2") + b"{}")
        read_until(client, b"token")
        started = time.monotonic()
    assert gateway.llm.last().ended.wait(5)
    assert time.monotonic() - started < 0.9, "only the silence limit ended it"


def test_an_upload_that_breaks_off_is_not_passed_as_whole(gateway: Gateway) -> None:
    broken = threading.Event()

    async def read(exchange: Exchange) -> None:
        try:
            await exchange.read_body()
        except (EOFError, OSError):
            broken.set()
            raise

    data = gateway.services["data-processor"]
    data.answer = read
    with connection(gateway.port) as client:
        client.sendall(head("PUT", UPLOAD, "Content-Length: 1000000") + b"z" * 300_000)
        wait_until(lambda: bool(data.seen) and len(data.last().body) > 100_000, "some of it has arrived")
    assert broken.wait(5)
    wait_until(lambda: in_flight(gateway)["data-processor"] == 0, "the slot is free again")


def test_a_service_that_answers_early_is_heard_at_once(gateway: Gateway) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.answer(
            409, "application/problem+json", b'{"code": "dataset_exists"}', "Connection: close"
        )
        await exchange.gone()

    gateway.services["data-processor"].answer = refuse
    with connection(gateway.port) as client:
        client.sendall(head("PUT", UPLOAD, "Content-Length: 100000000") + b"z" * 300_000)
        assert b"409" in read_until(client, b"dataset_exists")
