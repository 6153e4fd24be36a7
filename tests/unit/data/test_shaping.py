"""Operations on rows, against plain Python."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_semble.errors import InvalidRequest
from data_processor.errors import ComputationFailed, TypeMismatch, UnknownColumn
from tests.unit.data.bench import Bench

FEW = settings(max_examples=10, deadline=None)
PEOPLE = [
    {"id": 1, "name": "Aiko", "age": 31, "city": "Kyoto", "born": "1993-04-01"},
    {"id": 2, "name": "Ben", "age": None, "city": "Oslo", "born": "1988-12-24"},
    {"id": 3, "name": "Chloé", "age": 45, "city": None, "born": "1979-07-14"},
    {"id": 4, "name": "Daichi", "age": 31, "city": "Kyoto", "born": None},
]
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
numbers = st.one_of(st.none(), st.integers(-(2**53), 2**53))
tables = st.lists(
    st.fixed_dictionaries({"n": numbers, "s": st.one_of(st.none(), texts), "k": st.integers(0, 4)}),
    min_size=1,
    max_size=30,
).map(lambda rows: [{"row": at, **row} for at, row in enumerate(rows)])


def ids(rows: list[dict[str, Any]], key: str = "id") -> list[Any]:
    return [row[key] for row in rows]


@FEW
@given(tables, st.integers(-(2**53), 2**53))
def test_a_filter_keeps_the_rows_that_fulfil_it_in_their_order(
    bench: Bench, rows: list[dict[str, Any]], limit: int
) -> None:
    if all(row["n"] is None for row in rows):
        return  # a column without any value has no type to compare with
    where = {"column": "n", "op": "gt", "value": limit}
    expected = [row["row"] for row in rows if row["n"] is not None and row["n"] > limit]
    assert ids(bench.run(rows, operation="filter", where=where), "row") == expected
    assert ids(bench.run(rows, operation="filter", where=f"n > {limit}"), "row") == expected


@FEW
@given(tables)
def test_a_sort_orders_rows_as_python_does_with_nulls_where_asked(
    bench: Bench, rows: list[dict[str, Any]]
) -> None:
    by = [{"column": "k", "descending": True}, {"column": "n", "nulls": "first"}, "row"]
    expected = sorted(rows, key=lambda row: (-row["k"], row["n"] is not None, row["n"] or 0, row["row"]))
    assert ids(bench.run(rows, operation="sort", by=by), "row") == ids(expected, "row")


@FEW
@given(tables, st.integers(0, 9))
def test_a_sample_is_the_same_for_the_same_seed_and_has_rows_once(
    bench: Bench, rows: list[dict[str, Any]], seed: int
) -> None:
    once = ids(bench.run(rows, operation="sample", rows=5, seed=seed), "row")
    assert once == ids(bench.run(rows, operation="sample", rows=5, seed=seed), "row")
    assert len(set(once)) == len(once) == min(5, len(rows))
    assert once == sorted(once)


def test_a_share_of_the_rows_is_about_that_share(bench: Bench) -> None:
    rows = [{"row": at} for at in range(4000)]
    taken = bench.run(rows, operation="sample", fraction=0.25, seed=3)
    assert 850 < len(taken) < 1150


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"column": "age", "op": "eq", "value": 31}, [1, 4]),
        ({"column": "age", "op": "ne", "value": 31}, [3]),
        ({"column": "age", "op": "le", "value": 31.5}, [1, 4]),
        ({"column": "age", "op": "between", "value": [40, 50]}, [3]),
        ({"column": "city", "op": "in", "value": ["Oslo", "Rome"]}, [2]),
        ({"column": "city", "op": "not_in", "value": ["Oslo"]}, [1, 4]),
        ({"column": "city", "op": "is_null"}, [3]),
        ({"column": "age", "op": "not_null"}, [1, 3, 4]),
        ({"column": "name", "op": "contains", "value": "i"}, [1, 4]),
        ({"column": "name", "op": "starts_with", "value": "Ch"}, [3]),
        ({"column": "name", "op": "ends_with", "value": "é"}, [3]),
        ({"column": "name", "op": "matches", "value": "^[A-B]"}, [1, 2]),
        ({"column": "born", "op": "lt", "value": "1990-01-01"}, [2, 3]),
        ({"and": [{"column": "age", "op": "eq", "value": 31}, {"column": "born", "op": "is_null"}]}, [4]),
        (
            {"or": [{"column": "id", "op": "eq", "value": 2}, {"column": "age", "op": "ge", "value": 45}]},
            [2, 3],
        ),
        ({"not": {"column": "id", "op": "in", "value": [1, 2]}}, [3, 4]),
        ("age = 31 AND city LIKE 'K%'", [1, 4]),
        ("born BETWEEN '1985-01-01' AND '1993-04-01'", [1, 2]),
        ("lower(name) IN ('ben', 'aiko') OR length(name) = 5", [1, 2, 3]),
        ("year(born) = 1979", [3]),
        ("coalesce(age, 0) < 31", [2]),
        ("NOT (city IS NULL)", [1, 2, 4]),
    ],
)
def test_each_kind_of_condition_finds_its_rows(bench: Bench, where: Any, expected: list[int]) -> None:
    assert ids(bench.run(PEOPLE, operation="filter", where=where)) == expected


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ({"column": "nmae", "op": "eq", "value": 1}, UnknownColumn),
        ({"column": "age", "op": "eq", "value": "old"}, TypeMismatch),
        ({"column": "age", "op": "eq", "value": True}, TypeMismatch),
        ({"column": "age", "op": "eq"}, TypeMismatch),
        ({"column": "name", "op": "gt", "value": 3}, TypeMismatch),
        ({"column": "born", "op": "gt", "value": "yesterday"}, TypeMismatch),
        ({"column": "age", "op": "contains", "value": "3"}, TypeMismatch),
        ({"column": "age", "op": "in", "value": 3}, InvalidRequest),
        ({"column": "age", "op": "in", "value": []}, InvalidRequest),
        ({"column": "age", "op": "between", "value": [1]}, InvalidRequest),
        ({"column": "age", "op": "almost", "value": 1}, InvalidRequest),
        ({"and": []}, InvalidRequest),
        ("age", TypeMismatch),
        ("age > 'x'", TypeMismatch),
    ],
)
def test_a_condition_that_cannot_be_is_refused_with_its_reason(
    bench: Bench, where: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        bench.run(PEOPLE, operation="filter", where=where)


def test_an_unknown_column_names_those_that_are_close(bench: Bench) -> None:
    with pytest.raises(UnknownColumn, match="Did you mean `name`") as caught:
        bench.run(PEOPLE, operation="filter", where="nmae = 'Ben'")
    assert caught.value.extra["columns"] == ["id", "name", "age", "city", "born"]


def test_conditions_nested_too_deeply_are_refused(bench: Bench) -> None:
    where: dict[str, Any] = {"column": "id", "op": "eq", "value": 1}
    for _ in range(60):
        where = {"not": where}
    with pytest.raises(InvalidRequest, match="nested"):
        bench.run(PEOPLE, operation="filter", where=where)


def test_select_keeps_reorders_renames_and_drops(bench: Bench) -> None:
    kept = bench.run(PEOPLE, operation="select", columns=["city", {"column": "id", "as": "number"}])
    assert list(kept[0].items()) == [("city", "Kyoto"), ("number", 1)]
    dropped = bench.run(PEOPLE, operation="select", drop=["born", "age"])
    assert list(dropped[0]) == ["id", "name", "city"]


@pytest.mark.parametrize(
    "operation",
    [
        {},
        {"columns": ["id"], "drop": ["age"]},
        {"drop": ["id", "name", "age", "city", "born"]},
        {"columns": ["id", {"column": "age", "as": "ID"}]},
        {"columns": ["id", "id"]},
    ],
)
def test_a_selection_that_makes_no_table_is_refused(bench: Bench, operation: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        bench.run(PEOPLE, operation="select", **operation)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("age + 1", 32),
        ("age / 2", 15.5),
        ("age // 2", 15),
        ("age % 4", 3),
        ("-age ** 2", 961),
        ("round(age / 7, 2)", 4.43),
        ("floor(-1.5)", -2),
        ("trunc(-1.5)", -1),
        ("upper(name) || '!'", "AIKO!"),
        ("concat(name, ' is ', age)", "Aiko is 31"),
        ("substring(name, 2, 2)", "ik"),
        ("left(name, 1) || right(name, 1)", "Ao"),
        ("replace(name, 'A', 'O')", "Oiko"),
        ("split_part('a-b-c', '-', 2)", "b"),
        ("position('k' IN name)", 3),
        ("lpad(name, 6, '*')", "**Aiko"),
        ("trim('  x ')", "x"),
        ("regexp_extract(name, '([a-z])o', 1)", "k"),
        ("regexp_replace(name, '[a-z]', '.')", "A..."),
        ("CASE WHEN age > 30 THEN 'old' ELSE 'young' END", "old"),
        ("if(age > 40, 1, 0)", 0),
        ("nullif(age, 31)", None),
        ("greatest(age, 40)", 40),
        ("year(born)", 1993),
        ("dayofweek(born)", 4),
        ("date_trunc('month', born)", "1993-04-01T00:00:00"),
        ("date_part('quarter', born)", 2),
        ("date_diff('year', born, DATE '2003-04-02')", 10),
        ("born + INTERVAL '1 month'", "1993-05-01T00:00:00"),
        ("born + to_days(3)", "1993-04-04T00:00:00"),
        ("strftime(born, '%d.%m.%Y')", "01.04.1993"),
        ("CAST(age AS string)", "31"),
        ("TRY_CAST(name AS integer)", None),
        ("'12' :: integer + 1", 13),
        ("age BETWEEN 30 AND 32", True),
        ("name IN ('Aiko', 'Ben')", True),
        ("name ~ '^A'", True),
        ("1.5e2", 150.0),
        ("'it''s'", "it's"),
        ("age -- a comment", 31),
    ],
)
def test_an_expression_computes_what_sql_would(bench: Bench, expression: str, expected: Any) -> None:
    assert bench.run(PEOPLE[:1], operation="derive", columns={"x": expression})[0]["x"] == expected


def test_derived_columns_see_the_row_as_it_was(bench: Bench) -> None:
    made = bench.run([{"a": 1, "b": 2}], operation="derive", columns={"a": "b", "b": "a"})
    assert made == [{"a": 2, "b": 1}]


def test_columns_that_differ_only_in_case_are_refused(bench: Bench) -> None:
    with pytest.raises(InvalidRequest, match="differ only in case"):
        bench.run([{"a": 1}], operation="derive", columns={"A": "a + 1"})


def test_nested_values_can_be_reached(bench: Bench) -> None:
    rows = [{"o": {"x": {"y": 5}}, "l": [1, 2, 3]}]
    made = bench.run(
        rows, operation="derive", columns={"y": "o.x.y", "first": "l[1]", "last": "l[-1]", "n": "len(l)"}
    )
    assert {key: made[0][key] for key in ("y", "first", "last", "n")} == {
        "y": 5,
        "first": 1,
        "last": 3,
        "n": 3,
    }


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ({"v": "integer"}, 12),
        ({"v": "number"}, 12.0),
        ({"v": "decimal(10,2)"}, 12.0),
        ({"v": "boolean"}, None),
        ({"v": "date"}, None),
    ],
)
def test_text_becomes_what_it_is_converted_to_or_null(
    bench: Bench, types: dict[str, str], expected: Any
) -> None:
    rows = [{"v": "12"}, {"v": "x"}]
    made = bench.run(rows, operation="convert", types=types, on_error="null")
    assert [row["v"] for row in made] == [expected, None]


def test_a_value_that_does_not_fit_fails_with_the_value_named(bench: Bench) -> None:
    with pytest.raises(ComputationFailed, match="x"):
        bench.run([{"v": "12"}, {"v": "x"}], operation="convert", types={"v": "integer"})


def test_dates_in_any_notation_are_converted_by_their_format(bench: Bench) -> None:
    types = {"d": {"type": "date", "format": "%d/%m/%Y"}}
    assert bench.run([{"d": "31/12/2025"}], operation="convert", types=types) == [{"d": "2025-12-31"}]
    made = bench.run([{"d": "2025"}], operation="convert", types=types, on_error="null")
    assert made == [{"d": None}]


SERIES = [{"t": at, "v": value} for at, value in enumerate([None, 2, None, None, 8, None])]


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        (0, [0, 2, 0, 0, 8, 0]),
        ({"value": 7}, [7, 2, 7, 7, 8, 7]),
        ({"method": "mean"}, [5, 2, 5, 5, 8, 5]),
        ({"method": "median"}, [5, 2, 5, 5, 8, 5]),
        ({"method": "min"}, [2, 2, 2, 2, 8, 2]),
        ({"method": "max"}, [8, 2, 8, 8, 8, 8]),
        ({"method": "forward"}, [None, 2, 2, 2, 8, 8]),
        ({"method": "backward"}, [2, 2, 8, 8, 8, None]),
    ],
)
def test_nulls_are_filled_by_each_method(bench: Bench, fill: Any, expected: list[Any]) -> None:
    made = bench.run(SERIES, operation="fill", columns={"v": fill})
    assert [row["v"] for row in made] == expected


def test_filling_forward_follows_the_order_asked_for(bench: Bench) -> None:
    order = [{"column": "t", "descending": True}]
    made = bench.run(SERIES, operation="fill", columns={"v": {"method": "forward"}}, order_by=order)
    assert [row["v"] for row in made] == [2, 2, 8, 8, 8, None]


@pytest.mark.parametrize(
    ("fill", "error"),
    [
        ({"value": None}, InvalidRequest),
        ({"value": 1, "method": "mean"}, InvalidRequest),
        ({"value": "x"}, TypeMismatch),
    ],
)
def test_a_fill_that_cannot_be_is_refused(bench: Bench, fill: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        bench.run(SERIES, operation="fill", columns={"v": fill})
