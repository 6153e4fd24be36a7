"""POST /ai/llm/completion, answered as events."""

from __future__ import annotations

from typing import Any

from orjson import loads

from tests.unit.llm.conftest import CONTEXT, MODEL, PARIS, Service

Events = list[tuple[str, dict[str, Any]]]


def events(service: Service, **question: Any) -> Events:
    answer = service.ask(stream=True, **question)
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    blocks = answer.text.strip().split("\n\n")
    return [_event(block) for block in blocks]


def _event(block: str) -> tuple[str, dict[str, Any]]:
    name, data = block.split("\n")
    assert name.startswith("event: ")
    return name.removeprefix("event: "), loads(data.removeprefix("data: "))


def test_the_pieces_joined_are_the_answer_that_is_not_streamed(service: Service) -> None:
    pieces = [data["text"] for name, data in events(service, prompt=PARIS, max_tokens=20) if name == "delta"]
    assert len(pieces) > 3
    assert "".join(pieces) == service.text(prompt=PARIS, max_tokens=20)


def test_the_last_event_says_everything_but_the_text(service: Service) -> None:
    name, end = events(service, prompt="Tell a story.", max_tokens=6)[-1]
    assert name == "done"
    assert (end["model"], end["finish_reason"]) == (MODEL, "length")
    assert end["usage"]["completion_tokens"] == 6
    assert end["timings"]["first_token_ms"] > 0
    assert "text" not in end


def test_pieces_are_whole_characters(service: Service) -> None:
    schema = {"type": "json_schema", "schema": {"enum": ["🙂日本語é"]}}
    streamed = events(service, prompt="x", max_tokens=40, response_format=schema)
    text = "".join(data["text"] for name, data in streamed if name == "delta")
    assert loads(text) == "🙂日本語é"


def test_pieces_arrive_while_the_rest_is_being_written(service: Service) -> None:
    question = {"prompt": "Tell a long story.", "max_tokens": 60, "stream": True}
    with service.client.stream("POST", "/ai/llm/completion", json=question) as answer:
        first = next(answer.iter_bytes())
        assert first.startswith(b"event: delta")
        assert b"event: done" not in first
        assert service.busy() == 1


def test_an_error_before_the_first_piece_is_an_ordinary_problem(service: Service) -> None:
    problem = service.problem(400, "context_length_exceeded", prompt="Hi", max_tokens=CONTEXT, stream=True)
    assert problem["n_ctx"] == CONTEXT
