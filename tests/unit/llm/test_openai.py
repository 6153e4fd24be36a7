"""OpenAI's surface, by OpenAI's own client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from jsonschema import validate
from openai import OpenAI
from orjson import loads

from tests.unit.llm.conftest import CONTEXT, MODEL, PARIS, SLOTS, Service

QUESTION: Any = [{"role": "user", "content": PARIS}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def sdk(service: Service) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{service.url}/v1", api_key="any", max_retries=0, timeout=60) as client:
        yield client


def test_a_chat_completion(sdk: OpenAI) -> None:
    answer = sdk.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=20, temperature=0)
    (choice,) = answer.choices
    assert "Paris" in (choice.message.content or "")
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "stop"
    assert answer.model == MODEL
    assert answer.usage and answer.usage.total_tokens > answer.usage.completion_tokens > 0


def test_a_streamed_chat_completion_says_the_same(sdk: OpenAI) -> None:
    whole = sdk.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=20, temperature=0)
    chunks = list(
        sdk.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=20, temperature=0, stream=True)
    )
    assert (
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    )
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


def test_usage_is_streamed_when_asked_for(sdk: OpenAI) -> None:
    *_, last = sdk.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=3, stream=True, stream_options={"include_usage": True}
    )
    assert last.choices == []
    assert last.usage and last.usage.completion_tokens == 3


def test_a_stream_ends_with_done(service: Service) -> None:
    body = {"messages": QUESTION, "max_tokens": 2, "stream": True}
    answer = service.client.post("/v1/chat/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.endswith("data: [DONE]\n\n")
    assert "prompt_progress" not in answer.text


def test_several_answers_at_once(sdk: OpenAI) -> None:
    answer = sdk.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=4, n=SLOTS)
    assert [choice.index for choice in answer.choices] == list(range(SLOTS))
    assert all(choice.message.content for choice in answer.choices)


def test_more_answers_than_slots_are_refused(sdk: OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="at once"):
        sdk.chat.completions.create(model=MODEL, messages=QUESTION, n=SLOTS + 1)


def test_log_probabilities(sdk: OpenAI) -> None:
    answer = sdk.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=3, logprobs=True, top_logprobs=2
    )
    probabilities = answer.choices[0].logprobs
    assert probabilities and probabilities.content
    assert [len(token.top_logprobs) for token in probabilities.content] == [2, 2, 2]


def test_json_by_schema(sdk: OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 12}},
        "required": ["city"],
        "additionalProperties": False,
    }
    answer = sdk.chat.completions.create(
        model=MODEL,
        messages=QUESTION,
        max_tokens=30,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "x", "schema": schema, "strict": True},
        },
    )
    validate(loads(answer.choices[0].message.content or ""), schema)


def test_json_by_schema_can_be_streamed(sdk: OpenAI) -> None:
    chunks = sdk.chat.completions.create(
        model=MODEL,
        messages=QUESTION,
        max_tokens=10,
        stream=True,
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": ["a", "b"]}}},
    )
    assert loads("".join(chunk.choices[0].delta.content or "" for chunk in chunks)) in ("a", "b")


def test_tools_reach_the_engine_whole_and_streamed(sdk: OpenAI) -> None:
    asked: Any = {
        "model": MODEL,
        "messages": QUESTION,
        "max_tokens": 5,
        "tools": [TOOL],
        "tool_choice": "auto",
    }
    assert sdk.chat.completions.create(**asked).choices[0].finish_reason
    assert list(sdk.chat.completions.create(**asked, stream=True))


def test_a_conversation_with_a_tool_s_answer_is_accepted(sdk: OpenAI) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages: Any = [
        *QUESTION,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "sunny"},
    ]
    answer = sdk.chat.completions.create(model=MODEL, messages=messages, max_tokens=3, tools=[TOOL])
    assert answer.choices[0].finish_reason


def test_a_developer_s_message_is_a_system_message(sdk: OpenAI) -> None:
    def read(role: str) -> int:
        messages: Any = [{"role": role, "content": "Be brief."}, *QUESTION]
        usage = sdk.chat.completions.create(model=MODEL, messages=messages, max_completion_tokens=1).usage
        assert usage
        return usage.prompt_tokens

    assert read("developer") == read("system")


def test_a_text_completion_whole_and_streamed(sdk: OpenAI) -> None:
    asked: Any = {"model": MODEL, "prompt": "1, 2, 3, 4,", "max_tokens": 6, "temperature": 0}
    whole = sdk.completions.create(**asked).choices[0].text
    assert "5" in whole
    assert "".join(chunk.choices[0].text for chunk in sdk.completions.create(**asked, stream=True)) == whole


def test_the_list_of_models(sdk: OpenAI) -> None:
    (model,) = sdk.models.list().data
    assert model.id == MODEL
    assert model.model_dump()["context"] == CONTEXT


def test_an_unknown_model_is_not_found(sdk: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as failed:
        sdk.chat.completions.create(model="gpt-9", messages=QUESTION)
    assert failed.value.code == "model_not_found"


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_does_not_fit_has_openai_s_own_code(sdk: OpenAI, stream: bool) -> None:
    messages: Any = [{"role": "user", "content": "word " * 600}]
    with pytest.raises(openai.BadRequestError) as failed:
        sdk.chat.completions.create(model=MODEL, messages=messages, stream=stream)
    assert failed.value.code == "context_length_exceeded"
    assert failed.value.type == "invalid_request_error"


def test_pictures_are_refused_and_nothing_is_fetched(sdk: OpenAI) -> None:
    picture = {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/x.png"}}
    with pytest.raises(openai.UnprocessableEntityError, match="vision/analyze"):
        sdk.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": [picture]}])  # type: ignore[list-item, misc]


@pytest.mark.parametrize("field", ["grammar", "id_slot", "lora", "json_schema", "samplers"])
def test_llama_cpp_s_inner_fields_are_refused(sdk: OpenAI, field: str) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as failed:
        sdk.chat.completions.create(model=MODEL, messages=QUESTION, extra_body={field: 1})
    assert failed.value.param == field


def test_tools_that_would_keep_the_engine_busy_are_refused(sdk: OpenAI) -> None:
    huge = {"enum": [f"v{number}" for number in range(5000)]}
    tool: Any = {"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": huge}}}}
    with pytest.raises(openai.UnprocessableEntityError, match="alternatives"):
        sdk.chat.completions.create(model=MODEL, messages=QUESTION, tools=[tool])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"messages":[]}', 422),
        (b'{"messages":[5]}', 422),
        (b'{"messages":[{"role":"user","content":"\\ud800"}]}', 400),
        (b'{"messages":[{"role":"user","content":"x"}],"temperature":"hot"}', 422),
        (b'{"messages":[{"role":"user","content":"x"}],"response_format":{"type":"yaml"}}', 422),
        (b'{"messages":[{"role":"user","content":"x"}],"stop":5}', 422),
        (b'{"messages":[{"role":"user","content":"x"}],"top_k":"x"}', 422),
        (b"[" * 100_000, 400),
    ],
)
def test_bad_bodies_get_an_error_in_openai_s_shape(service: Service, body: bytes, status: int) -> None:
    answer = service.client.post("/v1/chat/completions", content=body)
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) >= {"message", "type", "code", "param"}
