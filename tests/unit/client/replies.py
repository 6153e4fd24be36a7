"""What the server says in the tests of the client."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.support.upstream import Answer, Exchange

LANGUAGE = {
    "task": "language",
    "models": [],
    "result": {"language": "ja", "score": 0.9, "candidates": [{"language": "ja", "score": 0.9}]},
}
END = {
    "id": "1",
    "model": "m",
    "finish_reason": "stop",
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    "timings": {},
}
JOB_ID = "0199c1a2b3c4d5e6f708192a3b4c5d6e"


def job(state: str) -> dict[str, Any]:
    """A job as the API shows it."""
    return {
        "id": JOB_ID,
        "state": state,
        "reason": "So it is.",
        "progress": {"fraction": None, "message": ""},
        "service": "nlp",
        "path": "/ai/nlp/process",
        "attempts": 1,
        "created_at": "2026-11-22T00:00:00Z",
    }


def event(number: int, state: str) -> bytes:
    """A change of a job, as it is sent."""
    data = {
        "job_id": JOB_ID,
        "number": number,
        "at": "2026-11-22T00:00:00Z",
        "state": state,
        "reason": "",
        "attempt": 1,
        "progress": {"fraction": None, "message": ""},
    }
    return f"id: {number}\nevent: state\ndata: {json.dumps(data)}\n\n".encode()


def problem(status: int, code: str, **members: Any) -> bytes:
    """A problem document."""
    return json.dumps(
        {
            "type": f"urn:ai-semble:problem:{code}",
            "title": "A title",
            "status": status,
            "detail": "It happened",
            "code": code,
            "hint": "Do something.",
            "request_id": "r1",
            "source": "nlp",
            **members,
        }
    ).encode()


def fine(value: Any) -> Answer:
    """200 with JSON."""

    async def answer(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.answer(200, "application/json", json.dumps(value).encode())

    return answer


def refused(status: int, code: str, *headers: str) -> Answer:
    """A problem."""

    async def answer(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.answer(status, "application/problem+json", problem(status, code), *headers)

    return answer


async def cut(exchange: Exchange) -> None:
    """The connection ends without an answer."""
    await exchange.read_body()
    exchange.cut()


def sse(*frames: bytes, ends: bool = True) -> Answer:
    """Server-sent events; without an end the connection is cut behind the last one."""

    async def answer(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.head(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
        for frame in frames:
            await exchange.chunk(frame)
        if ends:
            await exchange.chunk(b"")
        else:
            exchange.cut()

    return answer


def frame(kind: str, value: Any) -> bytes:
    """An event of a stream."""
    return f"event: {kind}\ndata: {json.dumps(value)}\n\n".encode()


def one_after_the_other(answers: Sequence[Answer]) -> Answer:
    """The first request gets the first answer, and so on; further ones the last."""
    left = list(answers)

    async def answer(exchange: Exchange) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(exchange)

    return answer
