"""The HTTP surface: order, limits, errors, strange texts, and clients that leave."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ai_semble.errors import Overloaded
from ai_semble.health import HealthBoard
from ai_semble.metrics import Metrics
from ai_semble.schemas.health import State
from ai_semble.service import Runtime
from ai_services.nlp.app import create_app
from ai_services.nlp.engines.shelf import Engines
from ai_services.nlp.service import NlpService
from ai_services.nlp.tools import Stopped, Tools
from tests.unit.nlp.conftest import config, eventually, problem

OPTIONS: dict[str, dict[str, Any]] = {
    "sentiment": {},
    "entities": {},
    "language": {},
    "keywords": {},
    "summarize": {},
    "tokenize": {},
    "embed": {},
    "similarity": {"other": "something else"},
    "classify": {"labels": ["sports", "日常"]},
    "pii": {},
}
STRANGE = [
    "a",
    "。",
    "👨‍👩‍👧‍👦🏽🇯🇵",
    "e\u0301\u200d\ufeffx",
    "\x00nul\x00 in the text",
    "one\r\n\r\ntwo\ttabs",
    "　全角　スペース　",
    "ﬁ ﷺ ㌔ ㍿ ① ½",
    "I said こんにちは to Мария in مرحبا",
    "x" * 5_000,
    "あ" * 1_000,
    "1" * 3_000,
    "𠮷野家と𩸽",
    "\u202eright to left",
    "{{}} <b>&amp;</b> %s ${x} '; DROP TABLE--",
]


@pytest.mark.parametrize("task", OPTIONS)
def test_strange_texts_get_an_answer_in_their_order(process: Any, task: str) -> None:
    answer = process(texts=STRANGE, task=task, language="ja", **OPTIONS[task])
    assert len(answer["results"]) == len(STRANGE)
    for text, result in zip(STRANGE, answer["results"], strict=True):
        for span in spans(result):
            assert text[span["start"] : span["end"]] == span["text"]


@pytest.mark.parametrize("task", ["entities", "keywords", "tokenize", "sentiment", "pii"])
def test_strange_texts_get_an_answer_in_english_too(process: Any, task: str) -> None:
    answer = process(texts=STRANGE, task=task, language="en", **OPTIONS[task])
    for text, result in zip(STRANGE, answer["results"], strict=True):
        assert all(text[span["start"] : span["end"]] == span["text"] for span in spans(result))


def spans(result: dict[str, Any]) -> list[dict[str, Any]]:
    names = ("entities", "keywords", "sentences", "tokens", "findings")
    return [span for name in names for span in result.get(name, [])]


def test_each_text_gets_the_answer_that_it_gets_alone(process: Any) -> None:
    texts = ["Alice lives in Paris.", "田中さんは大阪に住む。", "Bob works for Sony.", "京都は古い都です。"]
    together = process(texts=texts, task="entities")["results"]
    assert together == [process(text=text, task="entities")["result"] for text in texts]


@pytest.mark.parametrize("task", ["tokenize", "language", "embed"])
def test_a_text_of_100_000_characters_is_worked_through(process: Any, task: str) -> None:
    text = ("She walked to the station and waited for the train. " * 2_000)[:100_000]
    result = process(text=text, task=task)["result"]
    if task == "tokenize":
        assert result["tokens"][-1]["end"] > 99_990


def test_a_thousand_texts_are_answered_in_order(process: Any) -> None:
    texts = [f"number {n} " + ("これは日本語です" if n % 2 else "this is English") for n in range(1000)]
    results = process(texts=texts, task="language")["results"]
    assert [result["language"] for result in results] == ["en", "ja"] * 500


def test_an_unsupported_language_names_the_text_and_what_is_supported(api: TestClient) -> None:
    texts = ["This is fine.", "Das ist auf Deutsch geschrieben und geht nicht.", "これは大丈夫です。"]
    answer = api.post("/ai/nlp/process", json={"texts": texts, "task": "entities"})
    document = problem(answer)
    assert (answer.status_code, document["code"]) == (422, "language_not_supported")
    assert document["supported"] == ["en", "ja"]
    assert document["errors"] == [{"field": "texts.1", "message": "is in `de`"}]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "task"),
        ({"text": "x", "task": "translate"}, "task"),
        ({"task": "sentiment"}, "text"),
        ({"text": "x", "texts": ["x"], "task": "sentiment"}, "text"),
        ({"text": " \n", "task": "sentiment"}, "text"),
        ({"texts": ["x", "\u3000"], "task": "sentiment"}, "texts.1"),
        ({"texts": ["x"] * 1001, "task": "language"}, "texts"),
        ({"text": "x" * 100_001, "task": "language"}, "text"),
        ({"texts": ["x" * 99_000] * 11, "task": "language"}, "texts"),
        ({"text": "x", "task": "sentiment", "labels": ["a"]}, "labels"),
        ({"text": "x", "task": "similarity"}, "other"),
        ({"text": "x", "task": "classify", "labels": ["a"]}, "labels"),
        ({"text": "x", "task": "classify", "labels": ["a", "a"]}, "labels"),
        (
            {"text": "x", "task": "classify", "labels": ["a", {"name": "b", "examples": []}]},
            "labels.1.examples",
        ),
        ({"text": "x", "task": "pii", "types": ["SHOE"]}, "types.0"),
        ({"text": "x", "task": "pii", "language": "Japanese"}, "language"),
    ],
)
def test_a_refused_field_is_named_as_the_user_wrote_it(api: TestClient, body: Any, field: str) -> None:
    answer = api.post("/ai/nlp/process", json=body)
    assert (answer.status_code, problem(answer)["code"]) == (422, "invalid_request")
    assert field in [error["field"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\x00", b'{"text": "\\ud800"}', b'{"a": "\xff"}', b"[" * 99_999]
)
def test_a_body_that_is_no_json_is_malformed(api: TestClient, content: bytes) -> None:
    answer = api.post("/ai/nlp/process", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, problem(answer)["code"]) == (400, "malformed_body")


def test_another_content_type_is_refused(api: TestClient) -> None:
    answer = api.post("/ai/nlp/process", data={"text": "x"})
    assert (answer.status_code, problem(answer)["code"]) == (415, "unsupported_media_type")


def test_the_openai_client_gets_the_vectors_of_the_embed_task(api: TestClient, process: Any) -> None:
    client = openai.OpenAI(base_url=f"{api.base_url}/v1", api_key="none", http_client=api)
    texts = ["The cat sat on the mat.", "猫"]
    answer = client.embeddings.create(model="use-multilingual-v3", input=texts)  # asks for base64 by itself
    expected = [result["embedding"] for result in process(texts=texts, task="embed")["results"]]
    assert [item.index for item in answer.data] == [0, 1]
    assert np.allclose([item.embedding for item in answer.data], expected, atol=1e-6)
    assert answer.usage.total_tokens > 5


def test_base64_and_numbers_are_the_same_vector(api: TestClient) -> None:
    def vector(form: str) -> Any:
        body = {"input": "x y z", "model": "use-multilingual-v3", "encoding_format": form}
        return api.post("/v1/embeddings", json=body).json()["data"][0]["embedding"]

    decoded = np.frombuffer(base64.b64decode(vector("base64")), dtype="<f4")
    assert np.array_equal(decoded, np.array(vector("float"), dtype=np.float32))


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"model": "ada"}, 404, "model_not_found", None),
        ({"input": [1, 2]}, 422, "invalid_request", "input"),
        ({"input": ""}, 422, "invalid_request", "input"),
        ({"dimensions": 256}, 422, "invalid_request", "dimensions"),
    ],
)
def test_embeddings_refuse_in_openais_shape(
    api: TestClient, change: Any, status: int, code: str, field: str | None
) -> None:
    answer = api.post("/v1/embeddings", json={"input": "x", "model": "use-multilingual-v3"} | change)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, field)


def test_health_and_metrics_tell_what_is_loaded_and_done(api: TestClient, process: Any) -> None:
    process(texts=["a text", "another"], task="language")
    models = {model["name"]: model for model in api.get("/health").json()["models"]}
    assert models["lid-176"]["state"] == "loaded"
    assert models["lid-176"]["device"] == "cpu"
    metrics = api.get("/metrics").text
    assert 'ai_semble_nlp_texts_total{service="nlp",task="language"}' in metrics
    assert "ai_semble_nlp_task_duration_seconds_bucket" in metrics


def test_without_models_it_says_how_to_get_them(tmp_path: Path) -> None:
    runtime = Runtime.create("nlp", config(tmp_path))
    with TestClient(create_app(runtime), base_url="http://localhost") as client:
        eventually(lambda: runtime.health.state is State.DEGRADED, "the service is degraded")
        assert "ja-ginza" in runtime.health.reason
        answer = client.post("/ai/nlp/process", json={"text": "hello there", "task": "language"})
        assert (answer.status_code, problem(answer)["code"]) == (503, "model_not_installed")
        assert "./scripts/deploy.sh models pull lid-176" in answer.json()["hint"]


def service(engines: Engines, **limits: int) -> NlpService:
    return NlpService(engines, metrics=Metrics("nlp"), health=HealthBoard("nlp"), **limits)


async def test_work_stops_when_its_caller_is_gone(engines: Engines) -> None:
    running = service(engines, workers=1, waiting=1)
    began, stopped = threading.Event(), threading.Event()

    def work(tools: Tools) -> None:
        began.set()
        try:
            while True:
                tools.check()
        except Stopped:
            stopped.set()
            raise

    task = asyncio.create_task(running.run("embed", 1, work))
    await asyncio.to_thread(began.wait, 5)
    task.cancel()
    assert await asyncio.to_thread(stopped.wait, 5)
    running.close()


@asynccontextmanager
async def running_app(models_dir: str, engines: Engines) -> AsyncIterator[FastAPI]:
    """Another application in this event loop, with the engines that are open already."""
    app = create_app(Runtime.create("nlp", config(models_dir, preload=())))
    async with app.router.lifespan_context(app):
        app.state.nlp.engines = engines
        yield app


async def test_a_client_that_hangs_up_frees_its_thread(models_dir: str, engines: Engines) -> None:
    received = asyncio.Queue[dict[str, Any]]()
    body = b'{"texts": [' + b",".join([b'"' + b"word " * 150 + b'"'] * 1000) + b'], "task": "embed"}'
    await received.put({"type": "http.request", "body": body, "more_body": False})
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = httpx_scope("/ai/nlp/process")
    async with running_app(models_dir, engines) as app:
        answering = asyncio.create_task(app(scope, received.get, send))
        await asyncio.sleep(0.3)
        await received.put({"type": "http.disconnect"})
        await asyncio.wait_for(answering, 5)
        assert sent[0]["status"] == 499
        quick = await asyncio.wait_for(app.state.nlp.run("embed", 1, lambda _: "free"), 10)
        assert quick == "free"


def httpx_scope(path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
    }


async def test_more_than_may_wait_is_refused(engines: Engines) -> None:
    running = service(engines, workers=1, waiting=1)
    gate = threading.Event()
    tasks = [asyncio.create_task(running.run("embed", 1, lambda _: gate.wait(5))) for _ in range(3)]
    await asyncio.sleep(0.05)
    gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, Overloaded) for result in results] == [False, False, True]
    running.close()


async def test_the_event_loop_stays_free_while_texts_are_processed(models_dir: str, engines: Engines) -> None:
    async with (
        running_app(models_dir, engines) as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
    ):
        body = {"texts": ["The weather is fine today. " * 10] * 100, "task": "embed"}
        answering = asyncio.create_task(client.post("/ai/nlp/process", json=body, timeout=60))
        longest, loop = 0.0, asyncio.get_running_loop()
        while not answering.done():
            began = loop.time()
            await asyncio.sleep(0.01)
            longest = max(longest, loop.time() - began)
        assert (await answering).status_code == 200
        assert longest < 0.5
