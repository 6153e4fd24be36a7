"""Profiles, and the rules of `validate`."""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from ai_semble.errors import InvalidRequest
from data_processor.errors import TypeMismatch, UnknownColumn
from data_processor.operations import profiling
from tests.unit.data.bench import Bench


def profile(bench: Bench, records: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    answer = bench.answer({"operation": "analyze", "data": {"records": records}, **options})
    found: dict[str, Any] = answer["result"]["profile"]
    return found


def column(bench: Bench, values: list[Any], **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = profile(bench, [{"v": value} for value in values], **options)["columns"][0]
    return found


def codes(findings: list[dict[str, str]]) -> set[str]:
    return {finding["code"] for finding in findings}


def test_the_example_of_the_documentation_is_answered(bench: Bench) -> None:
    found = profile(bench, [{"id": 1, "value": 100}])
    assert (found["rows"], found["duplicate_rows"], found["warnings"]) == (1, 0, [])
    value = found["columns"][1]
    assert (value["name"], value["type"], value["min"], value["max"], value["distinct"]) == (
        "value",
        "BIGINT",
        100,
        100,
        1,
    )
    assert value["numbers"]["mean"] == 100
    assert value["top"] == [{"value": 100, "count": 1}]
    assert value["histogram"] == [{"from": 100, "to": 100, "count": 1}]


def test_figures_of_numbers_are_those_of_python(bench: Bench) -> None:
    values = [1, 5, 2, 9, 9, None, 4.5, 30]
    filled = [value for value in values if value is not None]
    found = column(bench, values)
    assert (found["nulls"], found["distinct"], found["min"], found["max"]) == (1, 6, 1, 30)
    assert found["null_fraction"] == pytest.approx(1 / 8)
    assert found["numbers"]["mean"] == pytest.approx(statistics.fmean(filled))
    assert found["numbers"]["stddev"] == pytest.approx(statistics.stdev(filled))
    assert found["numbers"]["quantiles"]["0.5"] == pytest.approx(statistics.median(filled))
    assert found["top"][0] == {"value": 9.0, "count": 2}
    assert sum(bar["count"] for bar in found["histogram"]) == len(filled)
    assert (found["histogram"][0]["from"], found["histogram"][-1]["to"]) == (1, 30)


def test_small_integers_get_a_bar_each(bench: Bench) -> None:
    found = column(bench, [1, 2, 2, 4])
    assert [(bar["to"], bar["count"]) for bar in found["histogram"]] == [(1, 1), (2, 2), (3, 0), (4, 1)]


def test_dates_have_a_range_and_a_histogram(bench: Bench) -> None:
    found = column(bench, ["2026-01-01", "2026-01-02", "2026-12-31"], bins=2)
    assert (found["type"], found["min"], found["max"]) == ("DATE", "2026-01-01", "2026-12-31")
    assert [bar["count"] for bar in found["histogram"]] == [2, 1]
    assert found["histogram"][0]["from"] == "2026-01-01"
    assert found["numbers"] is None


def test_texts_have_lengths(bench: Bench) -> None:
    found = column(bench, ["a", "日本", "abcdef", None])
    assert found["text"] == {"min_length": 1, "mean_length": 3.0, "max_length": 6}
    assert (found["min"], found["max"], found["histogram"]) == ("a", "日本", None)


def test_nested_columns_have_counts_only(bench: Bench) -> None:
    found = column(bench, [{"a": 1}, {"a": 1}, {"a": 2}, None])
    assert (found["distinct"], found["nulls"], found["min"]) == (2, 1, None)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([7] * 30, "constant"),
        ([None] * 29 + [1], "mostly_null"),
        ([None, None], "all_null"),
        ([1, "x", 2.5], "mixed_types"),
        (["1", "2", "3", "x"], "mixed_types"),
        (["1", "2", "3.5"], "numbers_as_text"),
        ([f"k{at}" for at in range(25)], "unique"),
        ([f"k{at}" for at in range(99)] + ["k1"], "high_cardinality"),
        (["a", "  "], "blank_texts"),
        (["a", " b"], "surrounding_spaces"),
        ([*range(40), 10_000], "outliers"),
        ([1] * 30 + [2] * 20 + [50] * 10, "skewed"),
    ],
)
def test_what_is_worth_a_look_is_named(bench: Bench, values: list[Any], code: str) -> None:
    assert code in codes(column(bench, values)["warnings"])


def test_ordinary_columns_have_no_warnings(bench: Bench) -> None:
    assert column(bench, [at % 7 for at in range(50)])["warnings"] == []
    assert column(bench, ["red", "green", "blue"] * 10)["warnings"] == []


def test_values_that_are_not_finite_are_left_out_of_the_figures(bench: Bench) -> None:
    query = "SELECT unnest([1.0, 3.0, 'nan'::double, 'inf'::double, NULL]) AS v"
    steps = [{"operation": "sql", "query": query}, {"operation": "analyze"}]
    [found] = bench.answer({"operation": "pipeline", "steps": steps})["result"]["profile"]["columns"]
    assert found["numbers"]["mean"] == 2
    assert (found["nulls"], found["max"]) == (1, None)
    assert "not_finite" in codes(found["warnings"])
    assert sum(bar["count"] for bar in found["histogram"]) == 2


def test_equal_rows_are_counted(bench: Bench) -> None:
    found = profile(bench, [{"a": 1, "b": "x"}] * 3 + [{"a": 2, "b": "x"}])
    assert found["duplicate_rows"] == 2
    assert codes(found["warnings"]) == {"duplicate_rows"}


def test_an_empty_table_has_a_profile_too(bench: Bench) -> None:
    steps = [{"operation": "filter", "where": "v > 9"}, {"operation": "analyze"}]
    found = bench.answer({"operation": "pipeline", "steps": steps, "data": {"records": [{"v": 1, "s": "x"}]}})
    assert found["result"]["profile"]["rows"] == 0
    assert [item["distinct"] for item in found["result"]["profile"]["columns"]] == [0, 0]


def test_above_the_limit_figures_are_estimated_and_close(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiling, "EXACT_ROWS", 100)
    rows = [{"k": at, "g": "ab"[at % 2], "day": f"2026-01-{at % 28 + 1:02}"} for at in range(3000)]
    [key, group, day] = profile(bench, rows, top=3)["columns"]
    assert key["distinct_is_estimate"] is True
    assert key["distinct"] == pytest.approx(3000, rel=0.05)
    assert key["numbers"]["quantiles"]["0.5"] == pytest.approx(1500, rel=0.02)
    assert {(item["value"], item["count"]) for item in group["top"]} == {("a", 1500), ("b", 1500)}
    assert all(item["count"] in (107, 108) for item in day["top"])


def test_columns_can_be_chosen(bench: Bench) -> None:
    found = profile(bench, [{"a": 1, "b": 2}], columns=["b"], top=0, bins=0)
    assert [item["name"] for item in found["columns"]] == ["b"]
    assert (found["columns"][0]["top"], found["columns"][0]["histogram"]) == ([], None)
    with pytest.raises(UnknownColumn):
        profile(bench, [{"a": 1}], columns=["z"])


def test_a_table_with_very_many_columns_asks_for_a_choice(bench: Bench) -> None:
    wide = [{f"c{at}": at for at in range(501)}]
    with pytest.raises(InvalidRequest, match="500"):
        profile(bench, wide)
    assert len(profile(bench, wide, columns=[f"c{at}" for at in range(60)])["columns"]) == 60


PEOPLE = [
    {"id": 1, "mail": "a@x.example", "age": 31, "joined": "2026-01-31", "tags": ["x"]},
    {"id": 2, "mail": "nobody", "age": -4, "joined": "soon", "tags": []},
    {"id": 2, "mail": None, "age": None, "joined": None, "tags": ["x", "y"]},
]


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ({"check": "not_null", "column": "mail"}, [3]),
        ({"check": "unique", "column": "id"}, [2, 3]),
        ({"check": "unique", "columns": ["id", "age"]}, []),
        ({"check": "one_of", "column": "id", "values": [1, 5]}, [2, 3]),
        ({"check": "range", "column": "age", "min": 0, "max": 120}, [2]),
        ({"check": "range", "column": "age", "max": 30.5}, [1]),
        ({"check": "length", "column": "mail", "min": 7}, [2]),
        ({"check": "length", "column": "tags", "min": 1}, [2]),
        ({"check": "matches", "column": "mail", "pattern": ".+@.+"}, [2]),
        ({"check": "type", "column": "joined", "type": "date"}, [2]),
        ({"check": "expression", "expression": "age > 0 OR mail IS NULL"}, [2]),
    ],
)
def test_each_rule_finds_the_rows_that_break_it(
    bench: Bench, rule: dict[str, Any], broken: list[int]
) -> None:
    answer = bench.answer({"operation": "validate", "rules": [rule], "data": {"records": PEOPLE}})["result"]
    assert answer["valid"] is (not broken)
    assert [row["row"] for item in answer["violations"] for row in item["rows"]] == broken
    for item in answer["violations"]:
        assert item["count"] == len(broken)
        assert item["rows"][0]["values"] == PEOPLE[broken[0] - 1]


def test_examples_are_limited_and_counts_are_not(bench: Bench) -> None:
    records = [{"v": at} for at in range(100)]
    rules = [
        {"check": "range", "column": "v", "max": 9, "name": "small"},
        {"check": "not_null", "column": "v"},
    ]
    answer = bench.answer(
        {"operation": "validate", "rules": rules, "examples": 3, "data": {"records": records}}
    )
    [violation] = answer["result"]["violations"]
    assert (violation["rule"], violation["count"], len(violation["rows"])) == ("small", 90, 3)
    assert answer["result"]["rules"] == 2


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({"check": "not_null"}, InvalidRequest),
        ({"check": "unique"}, InvalidRequest),
        ({"check": "one_of", "column": "id"}, InvalidRequest),
        ({"check": "range", "column": "age"}, InvalidRequest),
        ({"check": "range", "column": "mail", "min": 3}, TypeMismatch),
        ({"check": "length", "column": "age", "min": 3}, TypeMismatch),
        ({"check": "matches", "column": "mail"}, InvalidRequest),
        ({"check": "type", "column": "mail"}, InvalidRequest),
        ({"check": "expression"}, InvalidRequest),
        ({"check": "expression", "expression": "id"}, TypeMismatch),
        ({"check": "not_null", "column": "email"}, UnknownColumn),
        ({"check": "nice", "column": "mail"}, InvalidRequest),
    ],
)
def test_a_rule_that_cannot_be_is_refused(bench: Bench, rule: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        bench.answer({"operation": "validate", "rules": [rule], "data": {"records": PEOPLE}})
