"""What a body may be when a limit of its key depends on it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ai_semble.errors import AiSembleError, BodyTooLarge
from ai_services.llm.engines.llama import preparing
from orchestrator.access import tokens
from tests.support.attacks import attack
from tests.unit.access.conftest import Door

COMPLETION, CHAT, TEXT = "/ai/llm/completion", "/v1/chat/completions", "/v1/completions"
ASKS: dict[str, dict[str, Any]] = {
    COMPLETION: {"prompt": "hi", "max_tokens": 10},
    CHAT: {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 10},
    TEXT: {"prompt": "hi", "max_tokens": 10},
}


@attack(
    threat="A member that another model server reads as a model, or as more tokens",
    control="A limited key may say only what is known",
    file="containers/orchestrator/src/orchestrator/access/tokens.py",
)
@pytest.mark.parametrize("path", [CHAT, TEXT])
@pytest.mark.parametrize(
    "member", ["models", "fallbacks", "n_predict", "min_tokens", "plugins", "prediction"]
)
def test_what_is_not_known_might_be_another_model_or_more_tokens(path: str, member: str) -> None:
    with pytest.raises(AiSembleError) as refused:
        tokens.wish_of(path, json.dumps({**ASKS[path], member: ["other"]}).encode())
    assert (refused.value.status, refused.value.fields[0].field) == (422, member)


def test_a_limited_key_may_say_all_that_the_built_in_engine_knows() -> None:
    known = preparing.SAMPLING | preparing.IGNORED | preparing.OURS
    for path, more in ((CHAT, preparing.CHAT), (TEXT, preparing.TEXT)):
        body = {**dict.fromkeys(known | more), **ASKS[path]}
        assert tokens.wish_of(path, json.dumps(body).encode()).most_written == 10


def test_a_free_key_s_body_is_not_looked_into(closed: Door) -> None:
    body = {**ASKS[CHAT], "models": ["other"]}
    with closed.client(closed.key("free")) as client:
        assert client.post(CHAT, json=body).status_code == 200
    for name, limits in (
        ("some", {"models": frozenset({closed.runtime.config.llm.model})}),
        ("counted", {"tokens_per_minute": 10_000}),
    ):
        with closed.client(closed.key(name, **limits)) as client:
            assert client.post(CHAT, json=body).status_code == 422
            assert client.post(CHAT, json=ASKS[CHAT]).status_code == 200


@attack(
    threat="A million mistakes in a request keep the event loop busy",
    control="Mistakes are counted, not described",
    file="containers/orchestrator/src/orchestrator/access/tokens.py",
)
@pytest.mark.parametrize("path", list(ASKS))
def test_many_mistakes_are_refused_without_a_list_of_them(closed: Door, path: str) -> None:
    bodies: list[dict[str, Any]] = [
        {f"unknown{number}": 1 for number in range(20_000)},
        {"stop": [1] * 20_000},
    ]
    if path != TEXT:
        bodies.append({"messages": [1] * 10_000})
    with closed.client(closed.key(tokens_per_minute=10_000)) as client:
        for body in bodies:
            answer = client.post(path, json={**ASKS[path], **body})
            assert answer.status_code == 422
            assert len(answer.content) < 10_000
    assert not closed.services["llm"].seen


@attack(
    threat="A long body of a limited key is parsed on the event loop",
    control="8 MiB, and a bounded number of values",
    file="containers/orchestrator/src/orchestrator/access/layer.py",
)
@pytest.mark.parametrize("path", list(ASKS))
def test_a_body_that_is_looked_into_is_not_longer_than_can_be(
    closed: Door, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST_LOOKED_INTO", 1_000_000)
    body = json.dumps(ASKS[path]).encode()
    with closed.client(closed.key("some", models=frozenset({closed.runtime.config.llm.model}))) as client:
        assert client.post(path, content=body + b" " * (1_000_000 - len(body))).status_code == 200
        answer = client.post(path, content=body + b" " * (1_000_001 - len(body)))
    document = answer.json()
    assert (answer.status_code, document.get("error", document)["code"]) == (413, BodyTooLarge.code)
    with closed.client(closed.key("free")) as client:
        assert client.post(path, content=body + b" " * 1_000_001).status_code == 200


@pytest.mark.parametrize("limit", ["5", 5])
def test_the_newer_name_of_max_tokens_is_counted_in_text_completions_too(limit: object) -> None:
    body = {"prompt": "hi", "max_completion_tokens": limit}
    assert tokens.wish_of(TEXT, json.dumps(body).encode()).most_written == 16
    body = {"prompt": "hi", "max_completion_tokens": 500}
    assert tokens.wish_of(TEXT, json.dumps(body).encode()).most_written == 500
    for wrong in (0, -1, "many", [5]):
        with pytest.raises(AiSembleError) as refused:
            tokens.wish_of(TEXT, json.dumps({"prompt": "hi", "max_completion_tokens": wrong}).encode())
        assert refused.value.status == 422
