"""POST /ai/llm/completion, answered whole."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import validate
from orjson import loads

from tests.unit.llm.conftest import CONTEXT, MODEL, PARIS, Service

CITY = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "kind": {"enum": ["city", "village"]},
        "inhabitants": {"type": "integer", "minimum": 1, "maximum": 40_000_000},
    },
    "required": ["name", "kind", "inhabitants"],
    "additionalProperties": False,
}


def by_schema(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "schema": schema}


def test_a_bare_prompt_is_answered_and_not_continued(service: Service) -> None:
    assert "Paris" in service.text(prompt=PARIS, max_tokens=20)


def test_the_first_request_of_the_readme_gets_words(service: Service) -> None:
    answer = service.ask(prompt="Hello, how are you?", max_tokens=30, temperature=0.7).json()
    assert any(letter.isalpha() for letter in answer["text"])
    assert answer["model"] == MODEL
    assert answer["finish_reason"] in ("stop", "length")


def test_a_prompt_and_the_same_as_a_message_get_the_same_answer(service: Service) -> None:
    said = service.text(messages=[{"role": "user", "content": PARIS}], max_tokens=12)
    assert said == service.text(prompt=PARIS, max_tokens=12)


def test_a_system_message_is_heard(service: Service) -> None:
    messages = [
        {"role": "system", "content": "Answer with the word Berlin."},
        {"role": "user", "content": PARIS},
    ]
    one = service.ask(messages=messages, max_tokens=1).json()["usage"]["prompt_tokens"]
    other = service.ask(messages=messages[1:], max_tokens=1).json()["usage"]["prompt_tokens"]
    assert one != other


def test_a_raw_prompt_is_continued(service: Service) -> None:
    assert service.text(prompt="1, 2, 3, 4, 5,", raw=True, max_tokens=6).lstrip().startswith("6")


def test_max_tokens_is_kept_and_counted(service: Service) -> None:
    answer = service.ask(prompt="Tell a long story.", max_tokens=7).json()
    usage = answer["usage"]
    assert answer["finish_reason"] == "length"
    assert usage["completion_tokens"] == 7
    assert usage["total_tokens"] == usage["prompt_tokens"] + 7


def test_without_max_tokens_an_answer_ends_with_the_context_at_the_latest(service: Service) -> None:
    answer = service.ask(prompt="Say yes.").json()
    assert 0 < answer["usage"]["total_tokens"] <= CONTEXT


def test_timings_add_up(service: Service) -> None:
    timings = service.ask(prompt=PARIS, max_tokens=8).json()["timings"]
    assert 0 <= timings["queue_ms"] < timings["first_token_ms"] < timings["total_ms"]
    assert timings["tokens_per_second"] > 0


def test_writing_ends_before_a_stop_text(service: Service) -> None:
    whole = service.text(prompt=PARIS, max_tokens=20)
    stopped = service.ask(prompt=PARIS, max_tokens=20, stop=["Paris"]).json()
    assert stopped["text"] == whole.partition("Paris")[0]
    assert stopped["finish_reason"] == "stop"
    assert service.text(prompt=PARIS, max_tokens=20, stop="France") == whole.partition("France")[0]


def test_the_same_seed_gives_the_same_text_and_another_seed_another(service: Service) -> None:
    def told(seed: int) -> str:
        return service.text(prompt="Tell a story.", seed=seed, temperature=1.2, max_tokens=16)

    assert told(7) == told(7)
    assert len({told(seed) for seed in (7, 8, 9)}) > 1


def test_json_by_schema_is_valid_against_the_schema(service: Service) -> None:
    text = service.text(prompt="Describe Paris.", max_tokens=60, response_format=by_schema(CITY))
    validate(loads(text), CITY)


def test_json_by_schema_is_valid_however_wild_the_temperature_is(service: Service) -> None:
    text = service.text(
        prompt="Describe Rome.", temperature=2, seed=1, max_tokens=60, response_format=by_schema(CITY)
    )
    validate(loads(text), CITY)


def test_openai_s_way_to_give_a_schema_is_understood(service: Service) -> None:
    given = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY, "strict": True}}
    validate(loads(service.text(prompt="Describe Paris.", max_tokens=60, response_format=given)), CITY)


def test_a_schema_holds_for_raw_prompts_too(service: Service) -> None:
    schema = {"enum": ["red", "green"]}
    assert loads(
        service.text(prompt="A colour:", raw=True, max_tokens=8, response_format=by_schema(schema))
    ) in (
        "red",
        "green",
    )


def test_json_object_begins_an_object_at_once(service: Service) -> None:
    text = service.text(prompt="Say hello.", max_tokens=3, response_format={"type": "json_object"})
    assert text.startswith("{")


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ({"type": "nonsense"}, "nonsense"),
        ({"$ref": "#/nowhere"}, "nowhere"),
        ({"$ref": "http://127.0.0.1:9/schema"}, "not fetch"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"not": {"type": "string"}}, "not"),
        ({"type": "string", "pattern": "^a(?=b)$"}, "look-ahead"),
        ({"type": "integer", "minimum": 5, "maximum": 2}, "minimum"),
        ({"enum": [f"value {number}" for number in range(10_000)]}, "longer than"),
        (False, "false"),
    ],
)
def test_a_schema_that_cannot_be_enforced_is_refused_with_the_reason(
    service: Service, schema: Any, complaint: str
) -> None:
    problem = service.problem(422, "invalid_schema", prompt="x", response_format=by_schema(schema))
    assert complaint in problem["detail"]
    assert problem["errors"][0]["field"] == "response_format"


def test_a_schema_nested_too_deeply_is_refused(service: Service) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(200):
        schema = {"type": "object", "properties": {"a": schema}}
    service.problem(422, "invalid_schema", prompt="x", response_format=by_schema(schema))


def test_a_prompt_that_does_not_fit_is_refused_with_its_length(service: Service) -> None:
    problem = service.problem(400, "context_length_exceeded", prompt="word " * 600)
    assert problem["n_prompt_tokens"] > 600
    assert problem["n_ctx"] == CONTEXT


def test_a_prompt_that_leaves_no_room_for_the_answer_is_refused(service: Service) -> None:
    problem = service.problem(400, "context_length_exceeded", prompt="Hi", max_tokens=CONTEXT)
    assert 0 < problem["n_prompt_tokens"] < CONTEXT


def test_an_answer_may_fill_the_context_to_the_last_token(service: Service) -> None:
    read = service.ask(prompt="Hi", max_tokens=1).json()["usage"]["prompt_tokens"]
    assert service.ask(prompt="Hi", max_tokens=CONTEXT - read, stop=["."]).status_code == 200
    service.problem(400, "context_length_exceeded", prompt="Hi", max_tokens=CONTEXT - read + 1)


def test_an_unknown_model_is_not_found_and_the_known_ones_are_named(service: Service) -> None:
    problem = service.problem(404, "model_not_found", prompt="x", model="gpt-9")
    assert problem["available"] == [MODEL]
    assert MODEL in problem["detail"]


def test_the_model_may_be_named(service: Service) -> None:
    assert service.ask(prompt="Hi", model=MODEL, max_tokens=1).json()["model"] == MODEL


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"prompt": "x", "messages": [{"role": "user", "content": "x"}]},
        {"prompt": ""},
        {"messages": []},
        {"messages": [{"role": "robot", "content": "x"}]},
        {"messages": [{"role": "user", "content": "x"}], "raw": True},
        {"prompt": "x", "max_tokens": 0},
        {"prompt": "x", "temperature": -1},
        {"prompt": "x", "top_p": 0},
        {"prompt": "x", "stop": [""]},
        {"prompt": "x", "stop": ["s"] * 17},
        {"prompt": "x", "seed": -1},
        {"prompt": "x", "response_format": {"type": "yaml"}},
        {"prompt": "x", "response_format": {"type": "json_schema"}},
        {"prompt": "x", "surprise": 1},
        {"prompt": 5},
    ],
)
def test_wrong_fields_are_refused(service: Service, wrong: dict[str, Any]) -> None:
    answer = service.client.post("/ai/llm/completion", json=wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_odd_characters_go_through(service: Service) -> None:
    assert service.ask(prompt="日本\u0000🙂<|im_end|>\u202e", max_tokens=2).status_code == 200


def test_health_says_where_the_model_really_is(service: Service) -> None:
    health = service.client.get("/health").json()
    (model,) = health["models"]
    assert (health["state"], model["state"], model["device"]) == ("ready", "loaded", "cpu")
    assert model["memory_bytes"] > 90_000_000


def test_metrics_count_what_was_read_and_written(service: Service) -> None:
    def counted() -> tuple[float, ...]:
        return (
            service.metric("ai_semble_llm_tokens_total", kind="completion"),
            service.metric("ai_semble_llm_calls_total", end="done"),
            service.metric("ai_semble_llm_time_to_first_token_seconds_count"),
        )

    before = counted()
    service.ask(prompt="Tell a story.", max_tokens=5)
    assert [new - old for new, old in zip(counted(), before, strict=True)] == [5, 1, 1]
    assert service.metric("ai_semble_llm_model_resident", model=MODEL, device="cpu") == 1
    assert service.metric("ai_semble_llm_engine_memory_bytes") > 90_000_000
