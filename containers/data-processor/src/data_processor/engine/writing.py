"""Tables to files, in every format."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import orjson

from data_processor.datasets.disk import on_disk
from data_processor.engine.quoting import identifier, literal, select
from data_processor.engine.rows import plain
from data_processor.errors import ResultTooLarge

_BATCH = 10_000
_EXCEL_ROWS, _EXCEL_COLUMNS, _EXCEL_TEXT, _EXCEL_DIGITS = 1_048_576, 16_384, 32_767, 15


def write(connection: duckdb.DuckDBPyConnection, sql: str, path: Path, format_: str, compression: str) -> int:
    """Write the rows of a query; returns how many. Raises InsufficientStorage, and ResultTooLarge for what Excel
    cannot hold.
    """
    match format_:
        case "parquet":
            return _copy(connection, sql, path, "FORMAT parquet, COMPRESSION zstd")
        case "csv" | "tsv":
            delimiter = "," if format_ == "csv" else "\t"
            return _copy(
                connection,
                sql,
                path,
                f"FORMAT csv, HEADER, DELIMITER '{delimiter}', COMPRESSION {compression}",
            )
        case "json" | "jsonl":
            array = "true" if format_ == "json" else "false"
            sql = _with_finite_numbers(connection, sql)
            return _copy(connection, sql, path, f"FORMAT json, ARRAY {array}, COMPRESSION {compression}")
        case "arrow":
            with on_disk():
                return _arrow(connection, sql, path)
        case "xlsx":
            with on_disk():
                return _excel(connection, sql, path)
        case _:
            raise ValueError(format_)


def _copy(connection: duckdb.DuckDBPyConnection, sql: str, path: Path, options: str) -> int:
    found = connection.execute(f"COPY ({sql}) TO {literal(str(path))} ({options})").fetchall()
    return int(found[0][0])


def _with_finite_numbers(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """JSON has no NaN and no infinity, and DuckDB writes both."""
    described = connection.execute(f"DESCRIBE {sql}").fetchall()
    replaced = [
        f"CASE WHEN isfinite({identifier(name)}) THEN {identifier(name)} END AS {identifier(name)}"
        for name, kind, *_ in described
        if kind in ("DOUBLE", "FLOAT")
    ]
    return select(f"* REPLACE ({', '.join(replaced)})", f"({sql})") if replaced else sql


def _arrow(connection: duckdb.DuckDBPyConnection, sql: str, path: Path) -> int:
    """The file layout, compressed with zstd."""
    import pyarrow as pa  # noqa: PLC0415 - 60 MB of memory that few workers need

    reader: Any = connection.sql(sql).to_arrow_reader(_BATCH)
    rows = 0
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, reader.schema, options=options) as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _excel(connection: duckdb.DuckDBPyConnection, sql: str, path: Path) -> int:
    """One sheet. Row by row, so that a sheet of any length needs little memory."""
    import xlsxwriter  # noqa: PLC0415

    cursor = connection.execute(sql)
    names = [item[0] for item in cursor.description or ()]
    if len(names) > _EXCEL_COLUMNS:
        raise ResultTooLarge(f"An Excel sheet holds {_EXCEL_COLUMNS} columns, and there are {len(names)}")
    options = {
        "constant_memory": True,
        "tmpdir": str(path.parent),
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "default_date_format": "yyyy-mm-dd hh:mm:ss",
        "remove_timezone": True,
    }
    number = 0
    try:
        with xlsxwriter.Workbook(str(path), options) as book:
            sheet = book.add_worksheet()
            day = book.add_format({"num_format": "yyyy-mm-dd"})
            sheet.write_row(0, 0, names)
            for number, row in enumerate(_rows(cursor), start=1):
                if number >= _EXCEL_ROWS:
                    raise ResultTooLarge(f"An Excel sheet holds {_EXCEL_ROWS} rows, its header included")
                for at, value in enumerate(row):
                    _write_cell(sheet, number, at, value, day)
    except xlsxwriter.exceptions.FileCreateError as error:
        raise error.args[0] from error  # what the system said
    return number


def _rows(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while batch := cursor.fetchmany(_BATCH):
        yield from batch


def _write_cell(sheet: Any, row: int, column: int, value: Any, day: Any) -> None:
    """Numbers of more digits than Excel's floating-point numbers have go in as text."""
    match value:
        case None:
            return
        case dt.datetime() if value.year >= 1900:
            sheet.write_datetime(row, column, value)
        case dt.date() if value.year >= 1900:
            sheet.write_datetime(row, column, value, day)
        case float() if not math.isfinite(value):
            return
        case bool() | float():
            sheet.write(row, column, value)
        case Decimal() if value.is_finite() and len(value.as_tuple().digits) <= _EXCEL_DIGITS:
            sheet.write_number(row, column, float(value))
        case int() if abs(value) <= 2**53:
            sheet.write_number(row, column, value)
        case str():
            sheet.write_string(row, column, value[:_EXCEL_TEXT])
        case _:
            shown = plain(value)
            text = shown if isinstance(shown, str) else orjson.dumps(shown, default=str).decode()
            sheet.write_string(row, column, text[:_EXCEL_TEXT])
