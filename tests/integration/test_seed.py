"""The four calls of the front page, with the bodies as printed there, give sensible answers."""

from __future__ import annotations

import httpx

from tests.support.pictures import photo
from tests.support.worlds import World


def test_the_language_model_answers(api: httpx.Client) -> None:
    body = {"prompt": "Hello, how are you?", "max_tokens": 100, "temperature": 0.7}
    answer = api.post("/ai/llm/completion", json=body)
    assert answer.status_code == 200, answer.text
    completion = answer.json()
    assert len(completion["text"].split()) >= 3
    assert completion["finish_reason"] in ("stop", "length")
    assert 0 < completion["usage"]["completion_tokens"] <= 100


def test_the_picture_at_a_url_is_described(api: httpx.Client, world: World) -> None:
    photo("chelsea").save(world.files / "image.jpg", quality=92)
    body = {"image_url": f"{world.files_url}/image.jpg", "task": "analyze"}
    answer = api.post("/ai/vision/analyze", json=body)
    assert answer.status_code == 200, answer.text
    analysis = answer.json()
    assert analysis["image"]["width"] == 451
    assert analysis["image"]["height"] == 300
    assert "cat" in analysis["description"].lower()
    assert "cat" in {found["label"] for found in analysis["objects"]}


def test_a_happy_sentence_is_positive(api: httpx.Client) -> None:
    answer = api.post("/ai/nlp/process", json={"text": "This is a great product!", "task": "sentiment"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"]["label"] == "positive"


def test_records_are_profiled(api: httpx.Client) -> None:
    body = {"operation": "analyze", "data": {"records": [{"id": 1, "value": 100}]}}
    answer = api.post("/data/process", json=body)
    assert answer.status_code == 200, answer.text
    columns = {column["name"]: column for column in answer.json()["result"]["profile"]["columns"]}
    assert columns["value"]["min"] == columns["value"]["max"] == 100
    assert columns["id"]["nulls"] == 0
