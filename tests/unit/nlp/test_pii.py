"""Personal data: what is found, what is not, and what stands in its place."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ai_semble.schemas.nlp import MaskStyle, PiiType
from ai_services.nlp.engines.pipelines import Name
from ai_services.nlp.pii.finder import find
from ai_services.nlp.pii.masks import Masker, last_shown

ALL = frozenset(PiiType)


def found(text: str, *names: Name, wanted: frozenset[PiiType] = ALL) -> list[tuple[str, str]]:
    return [
        (str(match.kind), text[match.start : match.end]) for match in find(text, names, wanted, min_score=0.5)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("taro@example.co.jp です", [("EMAIL", "taro@example.co.jp")]),
        ("連絡先は０３－１２３４－５６７８", [("PHONE", "０３－１２３４－５６７８")]),
        ("電話03(1234)5678まで", [("PHONE", "03(1234)5678")]),
        ("Call +44 20 7946 0958.", [("PHONE", "+44 20 7946 0958")]),
        (
            "〒100-0001 東京都千代田区千代田1-1",
            [("POSTAL_CODE", "〒100-0001"), ("ADDRESS", "東京都千代田区千代田1-1")],
        ),
        ("さいたま市浦和区高砂3-15-1に住む", [("ADDRESS", "さいたま市浦和区高砂3-15-1")]),
        ("マイナンバー 1234 5678 9018", [("MY_NUMBER", "1234 5678 9018")]),
        ("法人番号8700110005901", [("CORPORATE_NUMBER", "8700110005901")]),
        ("card 4111 1111 1111 1111 12/29", [("CREDIT_CARD", "4111 1111 1111 1111")]),
        ("pay GB29 NWBK 6016 1331 9268 19 now", [("IBAN", "GB29 NWBK 6016 1331 9268 19")]),
        ("from ::ffff:10.0.0.1 or 10.0.0.1", [("IP_ADDRESS", "10.0.0.1")]),
        ("host fe80::1ff:fe23:4567:890a", [("IP_ADDRESS", "fe80::1ff:fe23:4567:890a")]),
        ("postgres://app:hunter2@db.internal/x", [("SECRET", "postgres://app:hunter2@db.internal")]),
        (
            "at 221 Baker Street, London NW1 6XE",
            [("ADDRESS", "221 Baker Street"), ("POSTAL_CODE", "NW1 6XE")],
        ),
    ],
)
def test_personal_data_is_found_in_its_place(text: str, expected: list[tuple[str, str]]) -> None:
    assert set(expected) <= set(found(text))


@pytest.mark.parametrize(
    "text",
    [
        "Version 1.2.3.4000 and 300.1.2.3",
        "ISBN 978-3-16-148410-0",
        "2026-11-22T10:30:15 at 10:30:15",
        "注文番号 123456789012",
        "合計1,234,567円",
        "4111 1111 1111 1112",
        "pi is 3.14159265358979",
        "a@b, @mention, user@localhost",
        "http://example.com/path?x=1",
        "第3章の12ページ",
    ],
)
def test_what_only_looks_like_personal_data_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_pattern_is_believed_rather_than_a_name_within_it() -> None:
    text = "mail john.smith@example.com"
    assert found(text, Name("john.smith", 5, 15, "PERSON")) == [("EMAIL", "john.smith@example.com")]


def test_only_the_wanted_kinds_are_found() -> None:
    wanted = frozenset([PiiType.PHONE])
    assert found("a@example.com 03-1234-5678", wanted=wanted) == [("PHONE", "03-1234-5678")]


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("label", "[EMAIL] と [EMAIL] と [CREDIT_CARD]"),
        ("numbered", "[EMAIL_1] と [EMAIL_2] と [CREDIT_CARD_1]"),
        ("stars", "******* と ******* と *******************"),
        ("last4", "******* と ******* と **** **** **** 1111"),
    ],
)
def test_each_mask_looks_as_documented(process: Any, style: str, expected: str) -> None:
    text = "a@ex.jp と b@ex.jp と 4111 1111 1111 1111"
    result = process(text=text, task="pii", mask=style, types=["EMAIL", "CREDIT_CARD"])["result"]
    assert result["text"] == expected


def test_the_same_value_gets_the_same_number() -> None:
    masker = Masker(MaskStyle.NUMBERED)
    values = ["a@x.jp", "b@x.jp", "a@x.jp"]
    assert [masker.mask(PiiType.EMAIL, value) for value in values] == ["[EMAIL_1]", "[EMAIL_2]", "[EMAIL_1]"]


def test_a_short_number_is_hidden_whole() -> None:
    assert last_shown("12-3456") == "**-****"


def test_names_are_found_in_both_languages(process: Any) -> None:
    texts = ["担当の山田花子です。電話は090-1234-5678。", "Alice Johnson lives at 12 Oak Street in Boston."]
    japanese, english = (item["text"] for item in process(texts=texts, task="pii")["results"])
    assert "山田" not in japanese
    assert "[PERSON]" in japanese
    assert "[PHONE]" in japanese
    assert english.startswith("[PERSON] lives at [ADDRESS] in [LOCATION]")


def test_another_language_says_that_names_were_not_searched(process: Any) -> None:
    result = process(text="Guten Tag, schreiben Sie bitte an hans@example.de!", task="pii")["result"]
    assert result["names_searched"] is False
    assert "[EMAIL]" in result["text"]


@pytest.mark.parametrize(
    "text",
    [
        "1" * 100_000,
        "1-" * 50_000,
        "a@" * 50_000,
        "a." * 50_000,
        "0 " * 50_000,
        "東京都" * 33_000,
        "市" * 100_000,
        "A1 " * 33_000,
        ":" * 100_000,
        "http://" * 14_000,
        "eyJ" * 33_000,
        "12 Aa " * 16_000,
        "-----BEGIN " * 9_000,
    ],
)
def test_no_text_takes_long_to_search(text: str) -> None:
    began = time.perf_counter()
    find(text, (), ALL, 0.5)
    assert time.perf_counter() - began < 5
