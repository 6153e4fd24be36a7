"""The comparison that the other tests of documents rely on."""

from __future__ import annotations

import pytest

from tests.docs.answers import differences, parse, values


@pytest.mark.parametrize(
    ("shown", "came"),
    [
        ('{"a": 1, …}', '{"a": 1, "b": 2}'),
        ('{"a": …}', '{"a": {"deep": [1]}}'),
        ("{…}", '{"a": 1}'),
        ("[1, …, 9]", "[1, 2, 3, 9]"),
        ('{"a": "Hel…"}', '{"a": "Hello"}'),
        ('{"score": 0.73}', '{"score": 0.729}'),
        ('"a \\"…"', '"b"'),
    ],
)
def test_a_shortened_answer_fits_the_whole_one(shown: str, came: str) -> None:
    assert list(differences(parse(shown), parse(came))) == []


@pytest.mark.parametrize(
    ("shown", "came", "sentence"),
    [
        ('{"a": 1}', '{"a": 1, "b": 2}', "answer also has b"),
        ('{"a": 1, …}', '{"b": 2}', "answer has no a"),
        ('{"a": [1]}', '{"a": [1, 2]}', "answer.a has 2 items, and 1 are shown"),
        ('{"a": "x"}', '{"a": "y"}', "answer.a is 'y', and shown as 'x'"),
        ('{"a": true}', '{"a": 1}', "answer.a is 1, and shown as True"),
        ('{"a": "x…"}', '{"a": null}', "answer.a is no text but None"),
        ("[1, …, 9]", "[9]", "answer has 1 items, and 3 are shown"),
    ],
)
def test_a_difference_is_named(shown: str, came: str, sentence: str) -> None:
    assert list(differences(parse(shown), parse(came))) == [sentence]


def test_the_shape_alone_allows_other_values() -> None:
    shown, came = parse('{"text": "a", "n": 1}'), parse('{"text": "b", "n": 900}')
    assert list(differences(shown, came, only_shape=True)) == []
    assert list(differences(shown, parse('{"text": 1, "n": 1}'), only_shape=True)) != []


def test_every_object_of_an_output_is_found() -> None:
    assert values('HTTP/1.1 200 OK\n\n{"a": {"b": 1}}{"c": 2}\n') == [{"a": {"b": 1}}, {"c": 2}]
