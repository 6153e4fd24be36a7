"""Any OpenAI-compatible server as the engine: here another service of ours, on the real engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from ai_semble.config import Config
from ai_semble.errors import InvalidConfiguration
from ai_semble.service import Runtime
from ai_services.llm.app import create_app
from tests.support.serving import free_port
from tests.unit.llm.conftest import CONTEXT, MODEL, PARIS, Service, eventually, running

QUESTION: Any = [{"role": "user", "content": PARIS}]


@pytest.fixture(scope="module")
def relay(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose engine is the other service."""
    nothing = tmp_path_factory.mktemp("no-models")
    with running(nothing, engine="openai", base_url=f"{service.url}/v1") as relay:
        yield relay


@pytest.fixture(scope="module")
def sdk(relay: Service) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{relay.url}/v1", api_key="any", max_retries=0, timeout=60) as client:
        yield client


def test_answers_are_the_other_server_s(relay: Service, service: Service) -> None:
    asked = {"prompt": PARIS, "max_tokens": 12}
    answer = relay.ask(**asked).json()
    assert answer["text"] == service.text(**asked)
    assert answer["model"] == MODEL
    assert answer["usage"]["completion_tokens"] > 0


def test_streams_are_relayed(relay: Service, sdk: OpenAI) -> None:
    chunks = sdk.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=12, temperature=0, stream=True
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert "".join(pieces) == relay.text(prompt=PARIS, max_tokens=12)


def test_our_own_events_tell_the_usage(relay: Service) -> None:
    events = relay.ask(prompt=PARIS, max_tokens=5, stream=True).text
    assert '"completion_tokens":5' in events


def test_its_models_are_listed_and_its_device_is_remote(relay: Service, sdk: OpenAI) -> None:
    assert [model.id for model in sdk.models.list().data] == [MODEL]
    assert relay.client.get("/health").json()["device"] == "remote"


def test_its_refusals_keep_their_code(relay: Service, sdk: OpenAI) -> None:
    problem = relay.problem(400, "context_length_exceeded", prompt="word " * 600)
    assert problem["n_ctx"] == CONTEXT
    with pytest.raises(openai.NotFoundError):
        sdk.chat.completions.create(model="gpt-9", messages=QUESTION)
    relay.problem(
        422, "invalid_request", prompt="x", response_format={"type": "json_schema", "schema": False}
    )


def test_a_client_that_goes_away_ends_the_call_on_the_other_side(relay: Service, service: Service) -> None:
    body = {"prompt": "One", "max_tokens": 480, "ignore_eos": True, "stream": True}
    with relay.client.stream("POST", "/v1/completions", json=body) as answer:
        next(answer.iter_bytes())
        assert service.busy() == 1
    eventually(lambda: service.busy() == 0, "the other side has stopped", within_s=20)
    assert relay.busy() == 0


def test_a_server_that_is_not_there_is_named_and_found_when_it_comes(tmp_path: Path) -> None:
    base_url = f"http://127.0.0.1:{free_port()}/v1"
    with running(tmp_path, ready=False, engine="openai", base_url=base_url) as relay:
        eventually(lambda: relay.client.get("/health").json()["state"] == "failed", "health says so")
        problem = relay.problem(503, "engine_unreachable", prompt="Hi")
        assert base_url in problem["detail"]


def test_the_key_is_read_from_its_file_and_sent(tmp_path: Path) -> None:
    keys: list[str] = []

    class Far(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"data":[{"id":"far"}]}')

        def log_message(self, *_: object) -> None:
            pass

    key = tmp_path / "key"
    key.write_text("secret-key\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), Far) as far:
        threading.Thread(target=far.serve_forever, daemon=True).start()
        base_url = f"http://127.0.0.1:{far.server_address[1]}/v1"
        with running(tmp_path, engine="openai", base_url=base_url, api_key_file=str(key)) as relay:
            assert relay.client.get("/v1/models").json()["data"][0]["id"] == "far"
        far.shutdown()
    assert set(keys) == {"Bearer secret-key"}


@pytest.mark.parametrize(("status", "body"), [(400, b'{"error":"no"}'), (400, b"[1]"), (500, b"<html>")])
def test_an_error_in_no_known_shape_is_an_error_and_no_hang(tmp_path: Path, status: int, body: bytes) -> None:
    class Odd(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, b'{"data":[{"id":"odd"}]}')

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(status, body)

        def answer(self, number: int, content: bytes) -> None:
            self.send_response(number)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as odd:
        threading.Thread(target=odd.serve_forever, daemon=True).start()
        base_url = f"http://127.0.0.1:{odd.server_address[1]}/v1"
        with running(tmp_path, engine="openai", base_url=base_url) as relay:
            answer = relay.ask(prompt="Hi")
        odd.shutdown()
    assert 400 <= answer.status_code < 600
    assert answer.json()["code"]


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"engine": "openai"}, "base_url"),
        ({"engine": "openai", "base_url": "http://x/v1", "api_key_file": "/nowhere/key"}, "api_key_file"),
    ],
)
async def test_a_wrong_configuration_is_refused_at_the_start(settings: dict[str, str], names: str) -> None:
    app = create_app(Runtime.create("llm", Config.model_validate({"llm": settings})))
    with pytest.raises(InvalidConfiguration, match=names):
        async with app.router.lifespan_context(app):
            pass
