"""Clients that keep the API busy with nothing"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from ai_semble.protocol import MOST_HEAD_BYTES
from tests.hosts.pod_world import PYTHON, PodWorld, container
from tests.support.attacks import attack
from tests.support.raw_http import connection, head, problem_of, read_until
from tests.support.worlds import World

PROTOCOL = "containers/base/src/ai_semble/protocol.py"
ENVELOPE = "containers/base/src/ai_semble/envelope.py"
ROOM = "Of clients that are waited for, the one that has moved nothing for longest makes room for the next"
FLOOD = Path(__file__).with_name("flood.py")
DATASET = "/data/datasets/flood"
PATIENCE_S = 100  # with a machine that is busy, for which others may be the reason


def flood(world: World, connections: int, hello: bytes) -> dict[str, Any]:
    """Many connections from beside the orchestrator: through a tunnel it would be the tunnel that is attacked."""
    order = {
        "connections": connections,
        "hello": hello.decode(),
        "asked": 5,
        "patience_s": PATIENCE_S * world.slowness,
    }
    script = FLOOD.read_text("utf-8")
    if isinstance(world, PodWorld):
        line = shlex.join(
            ["podman", "exec", "--interactive", container("orchestrator"), PYTHON, "-c", script]
        )
        done = world.host.run(
            line, input=json.dumps(order | {"port": 8080}), timeout=300 * world.slowness, check=False
        )
    else:
        given = json.dumps(order | {"port": world.ports["orchestrator"]})
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@attack(
    threat="10,000 open connections, or as many as the machine lets one program have",
    control=ROOM,
    file=PROTOCOL,
)
def test_ten_thousand_open_connections_leave_room_for_others(world: World) -> None:
    told = flood(world, 10_000, b"")
    assert told["opened"] > 500
    assert told["answers"] == [200] * 5


@attack(threat="Slow-loris: thousands of heads that never end", control=ROOM, file=PROTOCOL)
def test_thousands_of_unfinished_heads_leave_room_for_others(world: World) -> None:
    told = flood(world, 3_000, b"GET /jobs HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    assert told["answers"] == [200] * 5


@attack(
    threat="More requests than are answered at once, none of which sends its body",
    control=ROOM,
    file=PROTOCOL,
)
def test_bodies_that_never_come_do_not_take_all_places(world: World) -> None:
    hello = head(
        "POST", "/ai/nlp/process", "Content-Type: application/json", "Content-Length: 99", host="localhost"
    )
    told = flood(world, 1_500, hello + b"{")
    assert told["answers"] == [200] * 5


@attack(
    threat="Uploads that never end, each of which keeps a file open, until no more can be opened",
    control=ROOM,
    file=PROTOCOL,
)
def test_uploads_that_never_end_do_not_take_all_files(world: World, api: httpx.Client) -> None:
    hello = head("PUT", f"{DATASET}-x", "Content-Type: text/csv", "Content-Length: 9999999", host="localhost")
    told = flood(world, 1_500, hello + b"a,b\n" * 1000)
    assert told["answers"] == [200] * 5
    kept = api.put(
        DATASET, params={"replace": "true"}, content=b"a\n1\n", headers={"Content-Type": "text/csv"}
    )
    assert kept.is_success, kept.text
    assert api.delete(DATASET).status_code == 204
    assert api.get(f"{DATASET}-x").status_code == 404


@attack(threat="Large answers that are asked for and never read", control=ROOM, file=PROTOCOL)
def test_answers_that_nobody_reads_do_not_take_all_places(world: World, api: httpx.Client) -> None:
    rows = b"a\n" + b"some text in a row\n" * 400_000
    api.put(DATASET, params={"replace": "true"}, content=rows, headers={"Content-Type": "text/csv"})
    told = flood(world, 700, head("GET", f"{DATASET}/content", host="localhost"))
    assert told["answers"] == [200] * 5
    api.delete(DATASET)


@attack(threat="Thousands of requests sent ahead over one connection", control="16 may wait", file=PROTOCOL)
def test_requests_sent_ahead_are_not_kept_without_end(world: World) -> None:
    told = flood(world, 40, head("GET", "/health", host="localhost") * 5_000)
    assert told["answers"] == [200] * 5


@attack(
    threat="A header without end, which took all memory and all time",
    control="A head has 64 KiB",
    file=PROTOCOL,
)
@pytest.mark.parametrize(
    "begin",
    [
        b"GET /",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
        b"POST /ai/nlp/process HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
    ],
)
def test_a_header_without_end_is_cut_off(port: int, begin: bytes) -> None:
    with connection(port) as client:
        client.sendall(begin)
        with pytest.raises(ConnectionError):
            for _ in range(8_000):
                client.sendall(b"a" * 8192)


@attack(threat="Thousands of headers, or one of megabytes", control="A head has 64 KiB; 431", file=PROTOCOL)
@pytest.mark.parametrize("headers", [["X: " + "a" * MOST_HEAD_BYTES], [f"X{n}: a" for n in range(12_000)]])
def test_huge_headers_are_refused(port: int, headers: list[str]) -> None:
    assert b"head_too_large" in problem_of(port, head("GET", "/health", *headers, host="localhost"))


@attack(
    threat="A body without end and without a length",
    control="`server.max_body_bytes`, counted as it comes",
    file=ENVELOPE,
)
def test_a_body_without_end_is_cut_off_at_the_limit(port: int) -> None:
    start = head("POST", "/ai/nlp/process", "Content-Type: application/json", "Transfer-Encoding: chunked")
    with connection(port) as client:
        client.sendall(start)
        try:
            for _ in range(80):
                client.sendall(b"%x\r\n%b\r\n" % (1 << 20, b" " * (1 << 20)))
        except ConnectionError:
            return
        assert b"body_too_large" in read_until(client, b"}")
