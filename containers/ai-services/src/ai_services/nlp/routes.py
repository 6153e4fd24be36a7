"""POST /ai/nlp/process and POST /v1/embeddings."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from ai_semble.connection import while_connected
from ai_semble.schemas.nlp import EmbeddingsRequest, NlpRequest, NlpTask
from ai_services.nlp.body import read_body
from ai_services.nlp.engines.encoder import Vectors
from ai_services.nlp.engines.shelf import EMBEDDING_MODEL
from ai_services.nlp.errors import ModelNotFound
from ai_services.nlp.processor import is_single, process
from ai_services.nlp.service import NlpService
from ai_services.nlp.tools import Tools

_TAGS = frozenset(task.value for task in NlpTask)


def create_router() -> APIRouter:
    """The routes. They find the NlpService in `app.state.nlp`."""
    router = APIRouter(tags=["nlp"])
    requests: TypeAdapter[NlpRequest] = TypeAdapter(NlpRequest)
    embeddings = TypeAdapter(EmbeddingsRequest)

    @router.post("/ai/nlp/process")
    async def process_texts(http: Request) -> Response:
        return await answer(http, await read_body(http, requests, _TAGS))

    @router.post("/v1/embeddings")
    async def embed_texts(http: Request) -> Response:
        return await answer_embeddings(http, await read_body(http, embeddings))

    return router


async def _run(http: Request, task: str, texts: int, work: Callable[[Tools], bytes]) -> Response:
    """Do the work, unless the client goes away first: then it is stopped and nobody reads the answer."""
    service: NlpService = http.app.state.nlp
    body = await while_connected(http, service.run(task, texts, work))
    return Response(body, media_type="application/json")


async def answer(http: Request, request: NlpRequest) -> Response:
    """The results as JSON, made in the worker thread too: a thousand vectors are 10 MB of text."""

    def work(tools: Tools) -> bytes:
        began = time.perf_counter()
        results = process(request, tools)
        content = {"result": results[0]} if is_single(request) else {"results": results}
        timings = {
            "queue_ms": _milliseconds(began - received),
            "process_ms": _milliseconds(time.perf_counter() - began),
        }
        return _json({"task": request.task, "models": list(tools.used), **content, "timings": timings})

    received = time.perf_counter()
    return await _run(http, request.task, len(request.all_texts()), work)


async def answer_embeddings(http: Request, request: EmbeddingsRequest) -> Response:
    """OpenAI's answer."""
    if request.model != EMBEDDING_MODEL:
        raise ModelNotFound(f"there is no embedding model `{request.model}`")
    texts = request.all_texts()

    def work(tools: Tools) -> bytes:
        vectors, tokens = tools.encoder.encode_counted(texts, tools.check)
        return _json(
            {
                "object": "list",
                "data": [_item(place, row, request) for place, row in enumerate(vectors)],
                "model": EMBEDDING_MODEL,
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        )

    return await _run(http, "embed", len(texts), work)


def _item(place: int, row: Vectors, request: EmbeddingsRequest) -> dict[str, Any]:
    if request.encoding_format == "base64":
        encoded: Any = base64.b64encode(row.astype("<f4").tobytes()).decode()
    else:
        encoded = row
    return {"object": "embedding", "index": place, "embedding": encoded}


def _json(answer: dict[str, Any]) -> bytes:
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
