"""What is worth a look in a profile."""

from __future__ import annotations

from typing import Any

from data_processor.operations.facts import Facts, as_number

_MOSTLY = 0.5
_NEARLY_ALL = 0.95
_ENOUGH_ROWS = 20


def of_table(rows: int, duplicates: int) -> list[dict[str, str]]:
    if not duplicates:
        return []
    return [_finding("duplicate_rows", f"{_count(duplicates, 'row')} of {rows} equal an earlier one")]


def of_column(facts: Facts) -> list[dict[str, str]]:
    """Warnings about one column, the most telling first."""
    if facts.rows == 0:
        return []
    if facts.nulls == facts.rows:
        return [_finding("all_null", "No row has a value")]
    found = [*_about_nulls(facts), *_about_variety(facts)]
    if facts.kind.is_json() and facts.found.get("types", 0) > 1:
        found.append(_finding("mixed_types", f"The values are of {facts.found['types']} different types"))
    if facts.kind.is_string():
        found.extend(_about_texts(facts))
    if facts.is_number:
        found.extend(_about_numbers(facts))
    return found


def _about_nulls(facts: Facts) -> list[dict[str, str]]:
    share = facts.nulls / facts.rows
    return [_finding("mostly_null", f"{share:.0%} of the rows have no value")] if share > _MOSTLY else []


def _about_variety(facts: Facts) -> list[dict[str, str]]:
    filled = facts.rows - facts.nulls
    if facts.distinct == 1 and facts.rows > 1:
        return [_finding("constant", "All values are the same")]
    if filled < _ENOUGH_ROWS:
        return []
    if facts.distinct == filled:
        return [_finding("unique", "Every value occurs once; it may be a key")]
    if facts.kind.is_string() and facts.distinct > _NEARLY_ALL * filled:
        return [
            _finding("high_cardinality", f"Nearly every value is different ({facts.distinct} of {filled})")
        ]
    return []


def _about_texts(facts: Facts) -> list[dict[str, str]]:
    found, filled = [], facts.rows - facts.nulls
    if blank := int(facts.found.get("blank") or 0):
        found.append(_finding("blank_texts", f"{_count(blank, 'value')} without a visible character"))
    if spaced := int(facts.found.get("spaced") or 0):
        found.append(
            _finding("surrounding_spaces", f"{_count(spaced, 'value')} with spaces before or after the text")
        )
    numeric = int(facts.found.get("numeric") or 0)
    if numeric == filled:
        found.append(_finding("numbers_as_text", "Every text is a number; `convert` makes it one"))
    elif numeric > _MOSTLY * filled:
        found.append(
            _finding("mixed_types", f"{numeric} of {filled} texts are numbers, and the others are not")
        )
    return found


def _about_numbers(facts: Facts) -> list[dict[str, str]]:
    found = []
    if odd := int(facts.found.get("not_finite") or 0):
        found.append(
            _finding("not_finite", f"{_count(odd, 'value')} NaN or infinite; the figures leave them out")
        )
    found.extend(_about_shape(facts))
    return found


def _about_shape(facts: Facts) -> list[dict[str, str]]:
    """Tukey's fences (three times the middle half) and Pearson's second coefficient of skewness."""
    quantiles = facts.found.get("quantiles")
    span = facts.range
    if facts.rows - facts.nulls < _ENOUGH_ROWS or not quantiles or span is None or facts.distinct < 3:
        return []
    lower, middle, upper = (as_number(value) or 0.0 for value in quantiles[1:4])
    reach = 3 * (upper - lower)
    found = []
    if reach > 0 and (span[0] < lower - reach or span[1] > upper + reach):
        found.append(
            _finding(
                "outliers", f"Values reach far outside {lower:g} to {upper:g}, where the middle half lies"
            )
        )
    mean, spread = as_number(facts.found.get("mean")), as_number(facts.found.get("stddev"))
    if mean is not None and spread and abs(3 * (mean - middle) / spread) > 1:
        side = "high" if mean > middle else "low"
        found.append(
            _finding("skewed", f"The mean is {mean:.4g} and the median {middle:g}: a few {side} values")
        )
    return found


def _finding(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' if number != 1 else ''}"
