"""Finding out how a file is read, by reading all of it once: columns, types, rows, and whether it is sound.

A type that fits the first rows but not all of them is found here, and widened, so that later operations do
not fail at row 1,000,000.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from data_processor.engine import preparing
from data_processor.engine.failures import unreadable
from data_processor.engine.json_types import check_numbered, infer, json_scan
from data_processor.engine.preparing import unique_names
from data_processor.engine.quoting import call, select
from data_processor.engine.reading import FoundColumn, Reading
from data_processor.errors import EmptyData

_WHOLE_FILE = -1
_SAMPLE_ROWS = 20_480
_DELIMITERS = (",", ";", "\t", "|")
_UNFIT_COLUMN = re.compile(r'Error when converting column "(.*)"\. Could')
_SNIFFED = {
    "Delimiter": "delim",
    "Quote": "quote",
    "Escape": "escape",
    "Comment": "comment",
    "SkipRows": "skip",
    "HasHeader": "header",
    "DateFormat": "dateformat",
    "TimestampFormat": "timestampformat",
}


def inspect(
    connection: duckdb.DuckDBPyConnection, path: Path, format_: str, compression: str
) -> tuple[Reading, Path]:
    """How this file is read, and the file to read (a prepared copy beside it for arrow and xlsx).

    Raises UnreadableData with the place, EmptyData, WrongEncoding.
    """
    if path.stat().st_size == 0:
        raise EmptyData("The file is empty")
    try:
        match format_:
            case "csv" | "tsv":
                return _csv(connection, path, format_, compression), path
            case "json" | "jsonl":
                return _json(connection, path, format_, compression), path
            case "parquet":
                return _checked(connection, Reading(format_, "none", (), 0), path), path
            case _:
                copy = preparing.prepare(connection, path, format_)
                return _checked(connection, Reading(format_, "none", (), 0, prepared=True), copy), copy
    except duckdb.Error as error:
        raise unreadable(error, path) from error


def _csv(connection: duckdb.DuckDBPyConnection, path: Path, format_: str, compression: str) -> Reading:
    reading = _sniff(connection, path, format_, compression, _SAMPLE_ROWS)
    try:
        reading = _checked(connection, reading, path)
    except duckdb.ConversionException:
        reading = _sniff(connection, path, format_, compression, _WHOLE_FILE)
        reading = _widened_until_it_fits(connection, reading, path)
    if reading.rows == 0 and not reading.options["header"]:
        raise EmptyData("The file has no rows and no header")
    return reading


def _widened_until_it_fits(connection: duckdb.DuckDBPyConnection, reading: Reading, path: Path) -> Reading:
    """Columns whose values have no type in common become text."""
    while True:
        try:
            return _checked(connection, reading, path)
        except duckdb.ConversionException as error:
            unfit = _UNFIT_COLUMN.search(str(error))
            columns = tuple(
                replace(column, type="VARCHAR") if unfit and column.name == unfit[1] else column
                for column in reading.columns
            )
            if columns == reading.columns:
                raise
            reading = replace(reading, columns=columns)


def _sniff(
    connection: duckdb.DuckDBPyConnection, path: Path, format_: str, compression: str, rows: int
) -> Reading:
    options = {
        "compression": compression,
        "sample_size": rows,
        **({"delim": "\t"} if format_ == "tsv" else {}),
    }
    found = _sniffed(connection, path, options)
    if found["SkipRows"]:
        # Lines above the header are skipped if they have no columns. Otherwise it is the header that is not
        # like the rows, and skipping it would hide that.
        strict = _sniffed(connection, path, {**options, "skip": 0})
        found = strict if _delimiter_in(strict["Columns"][0]["name"]) else found
    columns = tuple(FoundColumn(column["name"], column["type"]) for column in found["Columns"])
    if len(columns) == 1 and (delimiter := _delimiter_in(columns[0].name)):
        # A ragged file looks like one column of some other delimiter. Its true one names the bad row.
        names = unique_names(next(csv.reader([columns[0].name], delimiter=delimiter)))
        columns = tuple(FoundColumn(name, "VARCHAR") for name in names)
        found |= {"Delimiter": delimiter, "Quote": '"', "Escape": '"'}
    options = {ours: _plain(found[theirs]) for theirs, ours in _SNIFFED.items() if found[theirs] is not None}
    # None in the sample does not mean none in the file.
    options["quote"] = options["quote"] or '"'
    options["escape"] = options["escape"] or options["quote"]
    return Reading(format_, compression, columns, 0, options)


def _sniffed(connection: duckdb.DuckDBPyConnection, path: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    cursor = connection.execute(f"FROM {call('sniff_csv', path, options)}")
    return dict(zip([item[0] for item in cursor.description or ()], cursor.fetchall()[0], strict=True))


def _delimiter_in(header: str) -> str:
    return next((delimiter for delimiter in _DELIMITERS if delimiter in header), "")


def _plain(value: Any) -> Any:
    return "" if value == "(empty)" else value


def _json(connection: duckdb.DuckDBPyConnection, path: Path, format_: str, compression: str) -> Reading:
    layout = "newline_delimited" if format_ == "jsonl" else "auto"
    columns = infer(connection, json_scan(path, layout, compression))
    reading = _checked(connection, Reading(format_, compression, columns, 0, {"format": layout}), path)
    if reading.rows:
        check_numbered(reading.columns, reading.rows)
    if reading.rows == 0 and [column.name for column in reading.columns] == ["json"]:
        raise EmptyData("The file has no records")
    return reading


def _checked(connection: duckdb.DuckDBPyConnection, reading: Reading, path: Path) -> Reading:
    """The reading with rows and nulls counted, for which every value must be readable."""
    scan = reading.scan(path)
    columns = reading.columns or tuple(
        FoundColumn(name, kind) for name, kind, *_ in connection.execute(f"DESCRIBE FROM {scan}").fetchall()
    )
    if not columns:
        raise EmptyData("The file has no columns")
    counted = connection.execute(select("count(*), count(COLUMNS(*))", scan)).fetchall()[0]
    rows, filled = counted[0], counted[1:]
    found = tuple(
        FoundColumn(column.name, column.type, rows - count)
        for column, count in zip(columns, filled, strict=True)
    )
    return Reading(reading.format, reading.compression, found, rows, reading.options, reading.prepared)
