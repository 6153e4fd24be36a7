"""POST /ai/llm/completion and OpenAI's paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.integration.bad_inputs.case import Bad, invalid

PATH = "/ai/llm/completion"
CHAT = "/v1/chat/completions"


def cases() -> Iterator[Bad]:
    yield from fields()
    yield from limits()
    yield from openai()


def fields() -> Iterator[Bad]:
    def bad(name: str, names: str, **more: Any) -> Bad:
        return invalid(f"llm: {name}", PATH, {"prompt": "Hello", **more}, names)

    yield invalid("llm: nothing at all", PATH, {}, "")
    yield bad("prompt and messages", "", messages=[{"role": "user", "content": "x"}])
    yield bad("empty prompt", "prompt", prompt="")
    yield bad("prompt is a number", "prompt", prompt=1)
    yield bad("prompt is a list", "prompt", prompt=["x"])
    yield bad("no tokens", "max_tokens", max_tokens=0)
    yield bad("negative tokens", "max_tokens", max_tokens=-5)
    yield bad("tokens are a word", "max_tokens", max_tokens="many")
    yield bad("negative temperature", "temperature", temperature=-1)
    yield bad("temperature too high", "temperature", temperature=2.1)
    yield bad("temperature is a word", "temperature", temperature="hot")
    yield bad("top_p over one", "top_p", top_p=1.1)
    yield bad("top_p below zero", "top_p", top_p=-0.1)
    yield bad("seed is a word", "seed", seed="x")
    yield bad("stop is a number", "stop", stop=7)
    yield bad("an empty stop", "stop", stop=[""])
    yield bad("stream is a word", "stream", stream="perhaps")
    yield bad("model is a number", "model", model=1)
    yield bad("unknown llm field", "max_token", max_token=1)
    yield bad("unknown response format", "response_format", response_format={"type": "xml"})
    yield bad("response format without a schema", "response_format", response_format={"type": "json_schema"})
    for name, messages in {
        "no messages": [],
        "a message without a role": [{"content": "x"}],
        "a message without content": [{"role": "user"}],
        "a message of an unknown role": [{"role": "boss", "content": "x"}],
        "messages are a string": "x",
        "a message is a string": ["x"],
    }.items():
        yield invalid(f"llm: {name}", PATH, {"messages": messages}, "messages")


def limits() -> Iterator[Bad]:
    long = "word " * 20_000
    yield Bad("llm: a prompt that does not fit", PATH, 400, "context_length_exceeded", json={"prompt": long})
    yield Bad("llm: unknown model", PATH, 404, "model_not_found", json={"prompt": "x", "model": "gpt-4"})
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "no-such-type"}}}
    yield Bad(
        "llm: a schema that is none",
        PATH,
        422,
        "invalid_schema",
        json={"prompt": "x", "response_format": schema},
    )


def openai() -> Iterator[Bad]:
    message = [{"role": "user", "content": "x"}]
    yield Bad("v1: no messages", CHAT, 422, "invalid_request", json={"model": "smollm2-135m-instruct"})
    yield Bad("v1: unknown model", CHAT, 404, "model_not_found", json={"model": "gpt-4", "messages": message})
    yield Bad(
        "v1: broken JSON",
        CHAT,
        400,
        "malformed_body",
        content=b"{",
        headers={"Content-Type": "application/json"},
    )
    yield Bad(
        "v1: a prompt that does not fit",
        CHAT,
        400,
        "context_length_exceeded",
        json={
            "model": "smollm2-135m-instruct",
            "messages": [{"role": "user", "content": "word " * 20_000}],
        },
    )
    yield Bad(
        "v1: completions without a prompt",
        "/v1/completions",
        422,
        "invalid_request",
        json={"model": "smollm2-135m-instruct"},
    )
