"""The images' health command says what a service answers, and never hangs."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support.serving import free_port

CHECKOUT = Path(__file__).parents[3]
COMMAND = CHECKOUT / "containers" / "base" / "healthy"


class Answers(BaseHTTPRequestHandler):
    """Lives, and is not ready."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/live" else 503)
        self.end_headers()
        self.wfile.write(b'{"reason":"the model is being loaded"}')

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def ask(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, words)], capture_output=True, text=True, timeout=30, check=False
    )


def test_a_service_that_lives_is_healthy() -> None:
    with answering() as port:
        assert ask("live", port).returncode == 0


def test_a_service_that_is_not_ready_tells_why() -> None:
    with answering() as port:
        answer = ask("ready", port)
    assert answer.returncode == 1
    assert "503" in answer.stdout
    assert "the model is being loaded" in answer.stdout


def test_where_nothing_listens_it_is_not_healthy() -> None:
    assert ask("live", free_port()).returncode == 1


def test_a_service_that_accepts_and_says_nothing_is_given_up() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        began = time.monotonic()
        assert ask("live", silent.getsockname()[1]).returncode != 0
    # Units give a check ten seconds.
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("words", [(), ("live",), ("alive", 8080), ("live", "8080; id")])
def test_a_wrong_command_line_is_told_so(words: tuple[object, ...]) -> None:
    answer = ask(*words)
    assert answer.returncode == 2
    assert "usage" in answer.stderr
