"""Files of every format: what is found in them, and what is said of broken ones."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import xlsxwriter

from ai_semble.errors import AiSembleError
from data_processor.engine.writing import write
from data_processor.errors import EmptyData, UnreadableData, WrongEncoding
from tests.unit.data.bench import Bench

ROWS = (
    "SELECT 1 AS id, 'Aiko, 愛子' AS name, 1.5 AS v, DATE '2026-01-31' AS day, "
    "TIMESTAMP '2026-01-31 10:30:00' AS \"at\", true AS ok, NULL::varchar AS nothing "
    "UNION ALL SELECT 2, 'line\nbreak \"quoted\"', NULL, DATE '1999-12-31', NULL, false, NULL"
)


@pytest.fixture
def files(tmp_path: Path) -> Bench:
    return Bench.open(tmp_path)


def columns(bench: Bench, name: str) -> dict[str, str]:
    return {column.name: column.type for column in bench.datasets[name].reading.columns}


TEXT_FORMATS = ("csv", "tsv", "json", "jsonl")
COMPRESSED_BY_THEMSELVES = ("parquet", "arrow", "xlsx")


@pytest.mark.parametrize(
    ("ending", "compression"),
    [*product(TEXT_FORMATS, ("none", "gzip", "zstd")), *product(COMPRESSED_BY_THEMSELVES, ("none",))],
)
def test_what_is_written_is_read_back(files: Bench, ending: str, compression: str) -> None:
    path = files.folder / "out"
    assert write(files.connection, ROWS, path, ending, compression) == 2
    files.add("back", path.read_bytes(), ending, compression)
    reading = files.datasets["back"].reading
    assert reading.rows == 2
    assert {column.name: column.nulls for column in reading.columns} == {
        "id": 0, "name": 0, "v": 1, "day": 0, "at": 1, "ok": 0, "nothing": 2,
    }  # fmt: skip
    query = 'SELECT id, name, v, CAST(day AS date) AS day, CAST("at" AS timestamp) AS "at", ok FROM back ORDER BY id'
    [first, second] = files.sql(query)
    assert first == {
        "id": 1, "name": "Aiko, 愛子", "v": 1.5, "day": "2026-01-31", "at": "2026-01-31T10:30:00", "ok": True,
    }  # fmt: skip
    assert (second["name"], second["v"], second["day"]) == ('line\nbreak "quoted"', None, "1999-12-31")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a,b\n1,x\n", {"a": "BIGINT", "b": "VARCHAR"}),
        (b"a;b\n1,5;x\n2,5;y\n", {"a": "VARCHAR", "b": "VARCHAR"}),
        (b"a|b\n1|2.5\n", {"a": "BIGINT", "b": "DOUBLE"}),
        (b"a\tb\n1\t2\n", {"a": "BIGINT", "b": "BIGINT"}),
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n", {"a": "BIGINT", "b": "BIGINT"}),
        (b"name\nbob\nalice\n", {"name": "VARCHAR"}),
        (b"1,2\n3,4\n", {"column0": "BIGINT", "column1": "BIGINT"}),
        (b"a,a,A\n1,2,3\n", {"a": "BIGINT", "a_1": "BIGINT", "A_2": "BIGINT"}),
        (b"day,at\n2026-01-31,2026-01-31 10:00:00\n", {"day": "DATE", "at": "TIMESTAMP"}),
        (b"Report of today\n\nid,v,w\n1,2,3\n4,5,6\n", {"id": "BIGINT", "v": "BIGINT", "w": "BIGINT"}),
        ("名前,値\n愛,1\n".encode(), {"名前": "VARCHAR", "値": "BIGINT"}),
        (b"id,v\n", {"id": "VARCHAR", "v": "VARCHAR"}),
        (b'a,b\n"x\ny",2\n', {"a": "VARCHAR", "b": "BIGINT"}),
    ],
)
def test_csv_of_many_habits_is_understood(files: Bench, content: bytes, expected: dict[str, str]) -> None:
    files.add("t", content)
    assert columns(files, "t") == expected


def test_a_type_that_fits_only_the_first_rows_is_widened(files: Bench) -> None:
    files.add("t", b"a,b\n" + b"1,1\n" * 25_000 + b"2.5,n/a\n")
    assert columns(files, "t") == {"a": "DOUBLE", "b": "VARCHAR"}
    assert files.datasets["t"].reading.rows == 25_001


def test_quotes_after_the_first_rows_are_understood(files: Bench) -> None:
    files.add("t", b"a,b\n" + b"1,x\n" * 25_000 + b'2,"y, ""z"""\n')
    assert files.sql("SELECT b FROM t WHERE a = 2") == [{"b": 'y, "z"'}]


def test_dates_of_several_notations_stay_text(files: Bench) -> None:
    files.add("t", b"d\n2026-01-02\n03/04/2026\n")
    assert columns(files, "t") == {"d": "VARCHAR"}


@pytest.mark.parametrize(
    ("ending", "content", "error", "sentence"),
    [
        ("csv", b"", EmptyData, "empty"),
        ("csv", b"a,b\n1,2\n3,4,5\n", UnreadableData, "Line 3: Expected Number of Columns: 2 Found: 3"),
        ("csv", b"a,b\n1,2\n1,2,3\n", UnreadableData, "Line 3"),
        ("csv", b"a,b\n" + b"1,2\n" * 30_000 + b"3\n", UnreadableData, "Line 30002"),
        ("csv", b"a,b\n" + b"1,2\n" * 30_000 + b'"x,2\n', UnreadableData, "Line 30002: Value with unterminated quote"),
        ("csv", "a,b\n1,テスト\n".encode("shift_jis"), WrongEncoding, "line 2"),
        ("csv", b"a,b\n" + b"1,ok\n" * 30_000 + b"1,\xff\xfe\n", WrongEncoding, "line 30002"),
        ("csv", "a,b\n1,2\n".encode("utf-16"), WrongEncoding, "UTF-8"),
        ("csv", bytes(range(256)) * 20, AiSembleError, None),
        ("json", b"", EmptyData, "empty"),
        ("json", b"[]", EmptyData, "no records"),
        ("json", b'[{"a": 1}, {"a": 2}', UnreadableData, "Broken JSON"),
        ("jsonl", b'{"a": 1}\n{"a": 2\n{"a": 3}\n', UnreadableData, "line 3"),
        ("jsonl", b'{"a":' * 300 + b"1" + b"}" * 300, UnreadableData, "depth"),
        ("jsonl", b'{"a": 1, "A": 2}\n', UnreadableData, "upper and lower case"),
        ("parquet", b"PAR1 and then nothing PAR1", UnreadableData, "Footer"),
        ("parquet", b"hello", UnreadableData, "too small"),
        ("arrow", b"ARROW1\0\0 and then nothing", UnreadableData, "Arrow"),
        ("arrow", b"hello, world, hello", UnreadableData, "Arrow"),
        ("xlsx", b"PK\x03\x04 and then nothing", UnreadableData, "Excel"),
        ("xlsx", b"hello", UnreadableData, "Excel"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_with_the_place(
    files: Bench, ending: str, content: bytes, error: type[Exception], sentence: str | None
) -> None:
    with pytest.raises(error, match=sentence) as caught:
        files.add("t", content, ending)
    assert str(files.folder) not in str(caught.value)


@pytest.mark.parametrize("cut", [20, 60])
def test_a_compressed_file_that_is_cut_off_is_refused(files: Bench, cut: int) -> None:
    with pytest.raises(UnreadableData, match="GZIP"):
        files.add("t", gzip.compress(b"a,b\n1,2\n" * 50_000)[:-cut], "csv", "gzip")


@pytest.mark.parametrize(
    ("values", "kind", "shown"),
    [
        ([1, 2], "BIGINT", [1, 2]),
        ([1, 2.5], "DOUBLE", [1.0, 2.5]),
        ([2**63, 1], "HUGEINT", [2**63, 1]),
        ([True, None], "BOOLEAN", [True, None]),
        (["x", "ünïcode 日本"], "VARCHAR", ["x", "ünïcode 日本"]),
        (["1", "2"], "VARCHAR", ["1", "2"]),
        (["2026-01-31", None], "DATE", ["2026-01-31", None]),
        (["2026-01-31", "31.01.2026"], "VARCHAR", ["2026-01-31", "31.01.2026"]),
        (["01-02-2026"], "VARCHAR", ["01-02-2026"]),
        (["2026-02-30"], "VARCHAR", ["2026-02-30"]),
        (["2026-01-31T10:00:00", "2026-01-31 11:00"], "TIMESTAMP", ["2026-01-31T10:00:00", "2026-01-31T11:00:00"]),
        (["2026-01-31T10:00:00.25Z"], "TIMESTAMP WITH TIME ZONE", ["2026-01-31T10:00:00.250000Z"]),
        (["2026-01-31T10:00:00+09:00"], "TIMESTAMP WITH TIME ZONE", ["2026-01-31T01:00:00Z"]),
        ([[1, 2], []], "BIGINT[]", [[1, 2], []]),
        ([{"a": 1}, {"b": "x"}], "STRUCT(a BIGINT, b VARCHAR)", [{"a": 1, "b": None}, {"a": None, "b": "x"}]),
        ([1, "x"], "JSON", [1, "x"]),
        ([1, None, {"a": [1]}], "JSON", [1, None, {"a": [1]}]),
        ([None, None], "VARCHAR", [None, None]),
    ],
)  # fmt: skip
def test_inline_values_get_the_type_that_fits_them(
    bench: Bench, values: list[Any], kind: str, shown: list[Any]
) -> None:
    records = [{"row": at, "v": value} for at, value in enumerate(values)]
    answer = bench.answer({"operation": "sort", "by": ["row"], "data": {"records": records}})
    assert {"name": "v", "type": kind} in answer["result"]["columns"]
    assert [row["v"] for row in answer["result"]["records"]] == shown


def test_missing_keys_are_nulls_and_odd_names_are_kept(bench: Bench) -> None:
    records = [{"a b": 1, 'q"q': 2}, {"it's": 3, "日本語": 4, "line\nbreak": 5}]
    made = bench.run(records, operation="sample", rows=2)
    names = ["a b", 'q"q', "it's", "日本語", "line\nbreak"]
    assert made == [
        dict(zip(names, [1, 2, None, None, None], strict=True)),
        dict(zip(names, [None, None, 3, 4, 5], strict=True)),
    ]


def test_fields_that_differ_only_in_case_are_refused(bench: Bench) -> None:
    with pytest.raises(UnreadableData, match="`A` and `a`"):
        bench.run([{"a": 1, "b": 0}, {"A": 2}], operation="sample", rows=2)


def test_every_kind_of_value_is_answered_as_valid_json(bench: Bench) -> None:
    query = """SELECT 'nan'::double AS nan, 'inf'::double AS inf, 12.30::decimal(10,2) AS dec,
        170141183460469231731687303715884105727::hugeint AS huge, 18446744073709551615::ubigint AS u,
        DATE '2026-01-31' AS day, TIME '10:30' AS clock, INTERVAL 36 HOUR AS span, DATE '20000-01-01' AS far,
        TIMESTAMPTZ '2026-01-31 10:00:00+09' AS zoned, '\\xAA'::blob AS raw, 'x'::enum('x') AS e,
        uuid '6ba7b810-9dad-11d1-80b4-00c04fd430c8' AS id, MAP {1: 'x'} AS m, '[1, 2]'::json AS j,
        {'a': [DATE '2026-01-31'], 'n': 'nan'::double} AS s"""
    [row] = bench.sql(query)
    assert row == {
        "nan": None, "inf": None, "huge": 170141183460469231731687303715884105727, "dec": 12.3, "day": "2026-01-31",
        "clock": "10:30:00", "span": "P1DT43200S", "zoned": "2026-01-31T01:00:00Z", "raw": "qg==",
        "id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "m": {"1": "x"}, "s": {"a": ["2026-01-31"], "n": None},
        "j": [1, 2], "far": "20000-01-01", "u": 18446744073709551615, "e": "x",
    }  # fmt: skip


def excel(rows: list[list[Any]], path: Path) -> bytes:
    with xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd"}) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate(rows):
            sheet.write_row(at, 0, row)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [["id", "", "id"], [1, "x", 2.5], [2, None, 3]],
            {"id": "BIGINT", "column1": "VARCHAR", "id_1": "DOUBLE"},
        ),
        ([["only a header"]], {"only a header": "VARCHAR"}),
    ],
)
def test_a_sheet_of_excel_has_names_in_its_first_row(
    files: Bench, tmp_path: Path, rows: list[list[Any]], expected: dict[str, str]
) -> None:
    files.add("t", excel(rows, tmp_path / "made.xlsx"), "xlsx")
    assert columns(files, "t") == expected


def test_text_that_looks_like_a_formula_stays_text_in_excel(files: Bench) -> None:
    write(
        files.connection, "SELECT '=1+1' AS a, 'https://x.example' AS b", files.folder / "out", "xlsx", "none"
    )
    files.add("t", (files.folder / "out").read_bytes(), "xlsx")
    assert files.sql("SELECT * FROM t") == [{"a": "=1+1", "b": "https://x.example"}]


@pytest.fixture
def arrow_stream() -> Callable[[], bytes]:
    def make() -> bytes:
        table = pa.table({"id": [1, 2, 3], "tag": pa.array(["x", "y", "x"]).dictionary_encode()})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue())

    return make


def test_an_arrow_stream_is_read_like_an_arrow_file(files: Bench, arrow_stream: Callable[[], bytes]) -> None:
    files.add("t", arrow_stream(), "arrow")
    assert files.sql("SELECT tag, count(*) n FROM t GROUP BY ALL ORDER BY n") == [
        {"tag": "y", "n": 1},
        {"tag": "x", "n": 2},
    ]
