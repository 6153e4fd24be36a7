"""Check digits, against published numbers and against every wrong digit."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ai_services.nlp.pii import checks

VALID: list[tuple[Callable[[str], bool], str]] = [
    (checks.my_number, "123456789018"),
    (checks.my_number, "987654321093"),
    (checks.corporate_number, "8700110005901"),  # the example in the tax agency's own specification
    (checks.corporate_number, "7000012050002"),  # National Tax Agency
    (checks.payment_card, "4111111111111111"),
    (checks.payment_card, "378282246310005"),
    (checks.payment_card, "3530111333300000"),
    (checks.iban, "DE89370400440532013000"),
    (checks.iban, "GB29NWBK60161331926819"),
    (checks.iban, "FR1420041010050500013M02606"),
]


@pytest.mark.parametrize(("check", "number"), VALID)
def test_a_published_number_is_valid(check: Callable[[str], bool], number: str) -> None:
    assert check(number)


@pytest.mark.parametrize(("check", "number"), VALID)
def test_no_wrong_check_digit_is_valid(check: Callable[[str], bool], number: str) -> None:
    place = {checks.corporate_number: 0, checks.iban: 3}.get(check, len(number) - 1)
    others = [
        number[:place] + digit + number[place + 1 :] for digit in "0123456789" if digit != number[place]
    ]
    assert not any(map(check, others))


@pytest.mark.parametrize("digits", ["000000000000", "111111111111", "12345678901", "1234567890123"])
def test_what_only_looks_like_a_my_number_is_none(digits: str) -> None:
    assert not checks.my_number(digits)


@pytest.mark.parametrize(
    ("digits", "valid"),
    [
        ("0312345678", True),
        ("09012345678", True),
        ("0120444555", True),
        ("0901234567", False),
        ("0012345678", False),
        ("1234567890", False),
    ],
)
def test_a_japanese_telephone_number_has_the_length_of_its_kind(digits: str, valid: bool) -> None:
    assert checks.japanese_phone(digits) is valid


@pytest.mark.parametrize(
    ("digits", "valid"), [("536904399", True), ("000904399", False), ("666904399", False)]
)
def test_social_security_numbers_that_were_never_given_out_are_none(digits: str, valid: bool) -> None:
    assert checks.us_ssn(digits) is valid
