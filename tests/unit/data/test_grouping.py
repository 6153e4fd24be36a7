"""Aggregates, pivots, duplicates and joins, against plain Python."""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_semble.errors import InvalidRequest
from data_processor.errors import InvalidExpression, TypeMismatch, UnknownColumn
from tests.unit.data.bench import Bench

FEW = settings(max_examples=10, deadline=None)
rows_of_groups = st.lists(
    st.fixed_dictionaries({"g": st.sampled_from("abc"), "v": st.integers(-1000, 1000)}),
    min_size=1,
    max_size=40,
)
keys = st.one_of(st.none(), st.integers(0, 5))
SALES: list[dict[str, Any]] = [
    {"country": "JP", "year": 2025, "amount": 10.0, "paid": True},
    {"country": "JP", "year": 2026, "amount": 30.0, "paid": False},
    {"country": "NO", "year": 2025, "amount": None, "paid": True},
    {"country": "NO", "year": 2026, "amount": 5.5, "paid": True},
    {"country": None, "year": 2026, "amount": 1.0, "paid": None},
]


@FEW
@given(rows_of_groups)
def test_figures_of_groups_are_those_of_python(bench: Bench, rows: list[dict[str, Any]]) -> None:
    groups = defaultdict(list)
    for row in rows:
        groups[row["g"]].append(row["v"])
    figures = {
        "n": {"function": "count"},
        "total": "sum(v)",
        "average": {"function": "mean", "column": "v"},
        "middle": {"function": "median", "column": "v"},
        "low": "min(v)",
        "kinds": {"function": "count_distinct", "column": "v"},
        "positive": {"function": "count", "where": "v > 0"},
    }
    made = bench.run(rows, operation="aggregate", group_by=["g"], aggregates=figures)
    assert {row["g"] for row in made} == set(groups)
    for row in made:
        values = groups[row["g"]]
        assert (row["n"], row["total"], row["low"]) == (len(values), sum(values), min(values))
        assert row["average"] == pytest.approx(statistics.fmean(values))
        assert row["middle"] == pytest.approx(statistics.median(values))
        assert (row["kinds"], row["positive"]) == (len(set(values)), sum(value > 0 for value in values))


def test_without_groups_all_rows_are_one(bench: Bench) -> None:
    figures = {
        "rows": {"function": "count"},
        "filled": {"function": "count", "column": "amount"},
        "share": "sum(amount) FILTER (WHERE country = 'JP') / sum(amount)",
        "all_paid": {"function": "all", "column": "paid"},
        "names": {"function": "join", "column": "country", "separator": "+"},
        "p90": {"function": "quantile", "column": "year", "quantile": 0.9},
    }
    [made] = bench.run(SALES, operation="aggregate", aggregates=figures)
    assert (made["rows"], made["filled"], made["all_paid"], made["p90"]) == (5, 4, False, 2026)
    assert made["share"] == pytest.approx(40 / 46.5)
    assert made["names"] == "JP+JP+NO+NO"


@pytest.mark.parametrize(
    ("aggregates", "error"),
    [
        ({"x": {"function": "sum"}}, InvalidRequest),
        ({"x": {"function": "sum", "column": "country"}}, TypeMismatch),
        ({"x": {"function": "all", "column": "year"}}, TypeMismatch),
        ({"x": {"function": "sum", "column": "amuont"}}, UnknownColumn),
        ({"x": {"function": "total", "column": "amount"}}, InvalidRequest),
        ({"x": "amount"}, InvalidExpression),
        ({"x": "sum(sum(amount))"}, InvalidExpression),
        ({"x": "sum(amount) OVER ()"}, InvalidExpression),
        ({"x": "avg(country)"}, TypeMismatch),
        ({"COUNTRY": "count(*)"}, InvalidRequest),
    ],
)
def test_an_aggregate_that_cannot_be_is_refused(
    bench: Bench, aggregates: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        bench.run(SALES, operation="aggregate", group_by=["country"], aggregates=aggregates)


def test_a_pivot_makes_columns_of_values(bench: Bench) -> None:
    made = bench.run(SALES, operation="pivot", rows=["country"], column="year", values="amount")
    found = {row["country"]: (row["2025"], row["2026"]) for row in made}
    assert found == {"JP": (10.0, 30.0), "NO": (None, 5.5), None: (None, 1.0)}


def test_a_pivot_over_nulls_truth_values_and_given_names(bench: Bench) -> None:
    [made] = bench.run(SALES, operation="pivot", column="paid", values="amount", function="count")
    assert made == {"false": 1, "true": 2, "null": 1}
    [made] = bench.run(SALES, operation="pivot", column="country", values="amount", names=["JP", "SE"])
    assert made == {"JP": 40.0, "SE": None}


def test_a_pivot_with_too_many_values_asks_for_their_names(bench: Bench) -> None:
    rows = [{"k": at, "v": 1} for at in range(1001)]
    with pytest.raises(InvalidRequest, match="names"):
        bench.run(rows, operation="pivot", column="k", values="v")


@FEW
@given(st.lists(st.fixed_dictionaries({"a": keys, "b": keys}), min_size=1, max_size=30))
def test_of_equal_rows_the_first_or_last_is_kept_in_place(bench: Bench, pairs: list[dict[str, Any]]) -> None:
    rows = [{**pair, "row": at} for at, pair in enumerate(pairs)]
    first: dict[Any, int] = {}
    last: dict[Any, int] = {}
    for row in rows:
        first.setdefault(row["a"], row["row"])
        last[row["a"]] = row["row"]
    kept = bench.run(rows, operation="deduplicate", columns=["a"])
    assert [row["row"] for row in kept] == sorted(first.values())
    kept = bench.run(rows, operation="deduplicate", columns=["a"], keep="last")
    assert [row["row"] for row in kept] == sorted(last.values())
    unique = list(dict.fromkeys((pair["a"], pair["b"]) for pair in pairs))
    kept = bench.run(pairs, operation="deduplicate")
    assert [(row.get("a"), row.get("b")) for row in kept] == unique


def test_what_is_first_can_be_said(bench: Bench) -> None:
    rows = [{"k": 1, "v": 3}, {"k": 1, "v": 9}, {"k": 2, "v": 1}]
    order = [{"column": "v", "descending": True}]
    kept = bench.run(rows, operation="deduplicate", columns=["k"], order_by=order)
    assert kept == [{"k": 1, "v": 9}, {"k": 2, "v": 1}]


def joined(left: list[dict[str, Any]], right: list[dict[str, Any]], how: str) -> list[tuple[Any, Any, Any]]:
    """What SQL says of a join on `k`: rows as (k, left, right); nulls equal nothing."""
    made, matched = [], set()
    for one in left:
        fitting = [at for at, two in enumerate(right) if one["k"] is not None and one["k"] == two["k"]]
        matched.update(fitting)
        made += [(one["k"], one["l"], right[at]["r"]) for at in fitting]
        if not fitting and how in ("left", "full"):
            made.append((one["k"], one["l"], None))
    if how in ("right", "full"):
        made += [(two["k"], None, two["r"]) for at, two in enumerate(right) if at not in matched]
    return made


@FEW
@given(
    st.lists(keys, min_size=1, max_size=8).filter(any),
    st.lists(keys, min_size=1, max_size=8).filter(any),
    st.sampled_from(["inner", "left", "right", "full"]),
)
def test_joins_pair_rows_as_sql_says(bench: Bench, left: list[Any], right: list[Any], how: str) -> None:
    one = [{"k": key, "l": f"l{at}"} for at, key in enumerate(left)]
    two = [{"k": key, "r": f"r{at}"} for at, key in enumerate(right)]
    made = bench.run(one, operation="join", right={"records": two}, on=["k"], how=how)
    found = [(row["k"], row["l"], row["r"]) for row in made]
    assert sorted(found, key=str) == sorted(joined(one, two, how), key=str)


def test_other_kinds_of_join(bench: Bench) -> None:
    left, right = [{"a": 1, "x": "l"}, {"a": 2, "x": "m"}], [{"b": 1, "x": "r"}]
    on = [{"left": "a", "right": "b"}]

    def run(how: str, **more: Any) -> list[dict[str, Any]]:
        return bench.run(left, operation="join", right={"records": right}, how=how, **more)

    assert run("semi", on=on) == [{"a": 1, "x": "l"}]
    assert run("anti", on=on) == [{"a": 2, "x": "m"}]
    assert run("inner", on=on) == [{"a": 1, "x": "l", "x_right": "r"}]
    assert run("inner", on=on, suffix="_2") == [{"a": 1, "x": "l", "x_2": "r"}]
    assert len(run("cross")) == 2


@pytest.mark.parametrize(
    ("join", "error"),
    [
        ({"on": [], "how": "inner"}, InvalidRequest),
        ({"on": ["a"], "how": "cross"}, InvalidRequest),
        ({"on": ["z"]}, UnknownColumn),
        ({"on": [{"left": "a", "right": "s"}]}, TypeMismatch),
    ],
)
def test_a_join_that_cannot_be_is_refused(bench: Bench, join: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        bench.run([{"a": 1}], operation="join", right={"records": [{"a": 1, "s": "x"}]}, **join)
