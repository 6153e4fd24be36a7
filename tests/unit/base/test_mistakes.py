"""A request with a million mistakes is refused as fast as one with one: they are counted, not described."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from ai_semble import problems
from ai_semble.schemas import data, llm, nlp, vision

CHAT = {"messages": [{"role": "user", "content": "hi"}]}
MANY = {f"unknown{number}": 1 for number in range(20_000)}
SHAPES: dict[str, tuple[Any, dict[str, Any]]] = {
    "completion": (llm.CompletionRequest, {"prompt": "hi", **MANY}),
    "stop": (llm.CompletionRequest, {"prompt": "hi", "stop": [1] * 20_000}),
    "messages": (llm.CompletionRequest, {"messages": [1] * 20_000}),
    "message": (llm.CompletionRequest, {"messages": [{"role": "user", "content": "hi", **MANY}]}),
    "types": (nlp.NlpRequest, {"task": "entities", "text": "hi", "types": [1] * 20_000}),
    "label": (nlp.NlpRequest, {"task": "classify", "text": "hi", "labels": [{"name": "a", **MANY}, "b"]}),
    "chat": (llm.ChatCompletionRequest, {"messages": [1] * 10_000}),
    "text": (llm.TextCompletionRequest, {"prompt": "hi", "stop": [1] * 20_000}),
    "nlp": (nlp.NlpRequest, {"task": "sentiment", "text": "hi", **MANY}),
    "embeddings": (nlp.EmbeddingsRequest, {"input": "hi", "model": "m", **MANY}),
    "vision": (vision.VisionRequest, {"image": "aaaa", **MANY}),
    "records": (
        data.FilterRequest,
        {"operation": "filter", "where": "true", "data": {"records": [1] * 20_000}},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("as_json", [False, True])
def test_many_mistakes_are_counted(shape: str, as_json: bool) -> None:
    model, given = SHAPES[shape]
    adapter = TypeAdapter(model)
    with pytest.raises(ValidationError) as refused:
        adapter.validate_json(orjson.dumps(given)) if as_json else adapter.validate_python(given)
    assert refused.value.error_count() <= 3
    error = problems.from_validation(RequestValidationError(refused.value.errors()))
    assert error.status == 422
    assert re.search("too many to list|at most [0-9]+ items", error.detail)


@pytest.mark.parametrize("member", ["stop", "messages"])
def test_a_list_that_is_too_long_is_not_looked_at(member: str) -> None:
    with pytest.raises(ValidationError) as refused:
        llm.CompletionRequest.model_validate({member: [1] * 20_000})
    assert "too_many_mistakes" not in {item["type"] for item in refused.value.errors()}


def test_a_few_mistakes_are_described_and_some_more_are_not() -> None:
    given = {**CHAT, "temperature": 3, "top_p": 2}
    with pytest.raises(ValidationError) as refused:
        llm.ChatCompletionRequest.model_validate(given)
    error = problems.from_validation(RequestValidationError(refused.value.errors()))
    assert [item.field for item in error.fields] == ["temperature", "top_p"]
    with pytest.raises(ValidationError) as refused:
        llm.CompletionRequest.model_validate({"prompt": "hi", **dict(list(MANY.items())[:100])})
    error = problems.from_validation(RequestValidationError(refused.value.errors()))
    assert len(error.fields) == 20
    assert error.detail.endswith("; and 80 more")
