"""A body with too many values is refused as it passes by, and texts may be as long as they like."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_semble.errors import BodyTooLarge
from orchestrator.gateway.structure import MOST_VALUES, Values, check
from tests.support.attacks import attack
from tests.unit.gateway.conftest import Gateway

LISTS = b'{"a": [' + b"[]," * MOST_VALUES + b"[]]}"
TEXTS = st.text(alphabet='a,[{"\\\n\u3042', max_size=12)
DOCUMENTS = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


def separators(value: Any) -> int:
    """Commas and opening brackets outside texts."""
    if isinstance(value, list):
        return 1 + max(0, len(value) - 1) + sum(map(separators, value))
    if isinstance(value, dict):
        return 1 + max(0, len(value) - 1) + sum(map(separators, value.values()))
    return 0


@given(DOCUMENTS, st.lists(st.integers(0, 200)))
def test_what_is_counted_depends_on_no_cut_and_no_text(document: Any, cuts: list[int]) -> None:
    text = json.dumps(document, ensure_ascii=False).encode()
    values = Values()
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for start, end in pairwise(edges):
        values.feed(text[start:end])
    assert values.number == separators(document)


def test_a_text_may_be_long_and_have_commas() -> None:
    check(json.dumps({"text": 'a, b, [c], {"d"}, ' * MOST_VALUES}).encode())


@attack(
    threat="A text that has no end keeps whoever looks through a body busy for hours",
    control="No part of a text is looked at twice",
    file="containers/orchestrator/src/orchestrator/gateway/structure.py",
)
def test_a_text_of_escaped_quotes_is_looked_at_once() -> None:
    """Looked at again from each quote, the million of them would take longer than the tests have."""
    text = b'["' + b'\\"' * 1_000_000
    values = Values()
    values.feed(text)
    values.feed(b'", 1]')
    assert values.number == 2


def test_one_value_more_than_allowed_is_refused() -> None:
    check(b"[" + b"1," * (MOST_VALUES - 1) + b"1]")
    with pytest.raises(BodyTooLarge):
        check(b"[" + b"1," * MOST_VALUES + b"1]")


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize(
    "path", ["/ai/llm/completion", "/v1/chat/completions", "/ai/nlp/process", "/v1/embeddings"]
)
def test_a_service_never_has_the_whole_of_such_a_body(
    gateway: Gateway, api: httpx.Client, path: str, kind: str
) -> None:
    answer = api.post(path, content=LISTS, headers={"Content-Type": kind})
    problem = answer.json().get("error", answer.json())
    assert (answer.status_code, problem["code"]) == (413, "body_too_large")
    for service in gateway.services.values():
        assert all(len(seen.body) < len(LISTS) for seen in service.seen)


def test_a_picture_s_url_is_not_looked_for_in_such_a_body(gateway: Gateway, api: httpx.Client) -> None:
    body = b'{"image_url": "https://example.com/", "a": ' + LISTS + b"}"
    answer = api.post("/ai/vision/analyze", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert not gateway.services["vision"].seen


def test_a_form_and_a_table_are_no_json(gateway: Gateway, api: httpx.Client) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    assert api.post("/ai/vision/analyze", content=LISTS, headers=form).status_code == 200
    json_ = {"Content-Type": "application/json"}
    assert api.post("/data/process", content=LISTS, headers=json_).status_code == 200
