"""Check digits and forms of numbers. Each takes the digits (or letters) without separators."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

# Length of an IBAN by country (ISO 13616 registry).
_IBAN_LENGTHS: Mapping[str, int] = {
    country: int(length)
    for length, countries in {
        "15": "NO",
        "16": "BE",
        "18": "DK FO FI GL NL SD",
        "19": "MK SI",
        "20": "AT BA EE KZ LT LU XK MN",
        "21": "CH HR LI LV",
        "22": "BG BH CR DE GB GE IE ME RS VA",
        "23": "AE GI IL IQ OM TL SO",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG",
        "25": "LY PT ST",
        "26": "IS TR",
        "27": "BI DJ FR GR IT MC MR SM",
        "28": "AL AZ BY CY DO GT HU LB NI PL SV",
        "29": "BR EG PS QA UA",
        "30": "JO KW MU",
        "31": "MT SC",
        "32": "LC",
        "33": "RU",
    }.items()
    for country in countries.split()
}


def luhn(digits: str) -> bool:
    """Payment cards: ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def payment_card(digits: str) -> bool:
    """The length and the first digits of a known network, and the check digit."""
    networks = {13: "4", 14: "36 38 39 30", 15: "34 37", 16: "2 3 4 5 6", 19: "4 6"}
    starts = tuple(networks.get(len(digits), "x").split())
    return digits.startswith(starts) and len(set(digits)) > 1 and luhn(digits)


def my_number(digits: str) -> bool:
    """Japan's individual number, 12 digits: check digit of ministerial ordinance 85 of 2014, article 5."""
    if len(digits) != 12 or len(set(digits)) == 1:
        return False
    body = [int(digit) for digit in reversed(digits[:11])]
    total = sum(digit * (place + 1 if place <= 6 else place - 5) for place, digit in enumerate(body, 1))
    rest = total % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


def corporate_number(digits: str) -> bool:
    """Japan's corporate number, 13 digits, the check digit in front (Ministry of Finance)."""
    if len(digits) != 13 or len(set(digits)) == 1:
        return False
    body = [int(digit) for digit in reversed(digits[1:])]
    total = sum(digit * (1 if place % 2 else 2) for place, digit in enumerate(body, 1))
    return int(digits[0]) == 9 - total % 9


def iban(text: str) -> bool:
    """Country, length, and the remainder 1 modulo 97 (ISO 7064)."""
    if _IBAN_LENGTHS.get(text[:2].upper()) != len(text):
        return False
    moved = text[4:] + text[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


def us_ssn(digits: str) -> bool:
    """Numbers that were never given out: area 000, 666, 9xx; group 00; serial 0000."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return (
        len(digits) == 9
        and area not in ("000", "666")
        and area < "900"
        and group != "00"
        and serial != "0000"
    )


def japanese_phone(digits: str) -> bool:
    """Length by the kind of number: mobile and IP 11, free dial 10 (0120) or 11 (0800), landline 10."""
    if digits.startswith(("070", "080", "090", "050", "060", "0800")):
        return len(digits) == 11
    if digits.startswith(("0120", "0570", "0990", "0180")):
        return len(digits) == 10
    return len(digits) == 10 and digits[0] == "0" and digits[1] != "0"


def us_phone(digits: str) -> bool:
    """Ten digits; area and exchange begin with 2 to 9."""
    return len(digits) == 10 and digits[0] in "23456789" and digits[3] in "23456789"


def international_phone(digits: str) -> bool:
    """E.164: country code and number, 8 to 15 digits."""
    return 8 <= len(digits) <= 15 and digits[0] != "0"


def ip_address(text: str) -> bool:
    """IPv4 or IPv6."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
