"""Cutting text: sentences, pieces, and offsets that stay."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_services.nlp.text import clean, pieces, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Dr. Smith went to Washington D.C. yesterday. He met Mr. Jones! Was it fun?",
            ["Dr. Smith went to Washington D.C. yesterday.", "He met Mr. Jones!", "Was it fun?"],
        ),
        (
            "It cost $3.50. Visit example.com now. The U.S. economy grew.",
            ["It cost $3.50.", "Visit example.com now.", "The U.S. economy grew."],
        ),
        ("今日は晴れ。明日は雨！本当？", ["今日は晴れ。", "明日は雨！", "本当？"]),
        ("「はい。」と彼は言った。そして帰った。", ["「はい。」と彼は言った。", "そして帰った。"]),
        ("見出し\n本文です。", ["見出し", "本文です。"]),
        ("Mixed 文章です。Next one.", ["Mixed 文章です。", "Next one."]),
        ("no end", ["no end"]),
        (" \n\t ", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: list[str]) -> None:
    assert [piece.text for piece in sentences(text)] == expected


@given(st.text(alphabet="aA.!?。！「」（） \n\u3000あ漢", max_size=80))
def test_a_sentence_stands_where_its_offset_says(text: str) -> None:
    for piece in sentences(text):
        assert text[piece.start : piece.end] == piece.text


@given(st.text(alphabet="ab. 。、\n漢", max_size=300), st.integers(5, 40))
def test_pieces_lose_nothing_and_keep_the_limit(text: str, limit: int) -> None:
    parts = pieces(text, limit)
    assert "".join(part.text for part in parts) == text
    assert all(len(part.text) <= limit and text[part.start : part.end] == part.text for part in parts)


def test_pieces_end_between_sentences() -> None:
    parts = pieces("これは文です。" * 300, 1000)
    assert all(part.text.endswith("。") for part in parts)


@given(st.text(max_size=100))
def test_cleaning_moves_nothing(text: str) -> None:
    assert len(clean(text)) == len(text)
    assert "\x00" not in clean(text)


@pytest.mark.parametrize(
    "text", ["。" * 100_000, "「「" + "。」「" * 33_000, "「あ。" * 33_000, "a. " * 33_000, "." * 100_000]
)
def test_no_text_takes_long_to_cut(text: str) -> None:
    began = time.perf_counter()
    sentences(text)
    pieces(text, 1000)
    assert time.perf_counter() - began < 3
