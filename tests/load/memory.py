"""Resident memory of the five services: right after start, and after every task was used once."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import Any

import httpx

from ai_semble.schemas.nlp import NlpTask
from tests.load.report import Row, bounded
from tests.support.pictures import photo
from tests.support.worlds import World

MIB = 1024**2


def measure(world: World) -> Iterator[Row]:
    with httpx.Client(base_url=world.url, timeout=300) as http:
        time.sleep(2)
        yield from figures(http, "right after start", total_limit=1200)
        use_everything(http)
        yield from figures(http, "after every task", total_limit=2500)


def figures(http: httpx.Client, when: str, *, total_limit: float) -> Iterator[Row]:
    health = http.get("/health").json()
    for name, service in health["services"].items():
        used = service["memory_bytes"] / MIB
        if name == "orchestrator":
            yield bounded("memory", f"{name}, {when}", used, "MiB", high=150)
        else:
            yield Row("memory", f"{name}, {when}", used, "MiB")
    yield bounded("memory", f"all five, {when}", health["memory_bytes"] / MIB, "MiB", high=total_limit)


def use_everything(http: httpx.Client) -> None:
    """Every task of every service once, in English and Japanese."""

    def post(path: str, body: dict[str, Any]) -> None:
        http.post(path, json=body).raise_for_status()

    post("/ai/llm/completion", {"prompt": "Hello", "max_tokens": 32})
    buffer = io.BytesIO()
    photo("astronaut").save(buffer, "JPEG")
    for task in ("analyze", "classify", "detect", "ocr", "faces", "safety", "embed"):
        files = {"image": ("x.jpg", buffer.getvalue(), "image/jpeg")}
        http.post("/ai/vision/analyze", files=files, data={"task": task}).raise_for_status()
    more: dict[str, dict[str, Any]] = {
        "similarity": {"other": "A river."},
        "classify": {"labels": ["sports", "nature"]},
    }
    for task in NlpTask:
        for text in ("The river is beautiful today.", "今日の川はとても美しいです。東京の田中さん。"):
            post("/ai/nlp/process", {"text": text, "task": task, **more.get(task, {})})
    rows = {"records": [{"id": n, "value": n * n, "name": str(n % 7)} for n in range(1000)]}
    post("/data/process", {"operation": "analyze", "data": rows})
    post(
        "/data/process",
        {"operation": "sql", "data": rows, "query": "SELECT name, sum(value) FROM input GROUP BY 1"},
    )
    asynchronous = {"Prefer": "respond-async"}
    sentiment = {"text": "A job, too.", "task": "sentiment"}
    accepted = http.post("/ai/nlp/process", json=sentiment, headers=asynchronous).raise_for_status()
    while http.get(accepted.headers["location"]).raise_for_status().json()["ended_at"] is None:
        time.sleep(0.05)
