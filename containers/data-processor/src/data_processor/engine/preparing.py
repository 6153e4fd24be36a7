"""Arrow and Excel files as Parquet, since DuckDB itself reads neither."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import orjson

from data_processor.engine.extents import check_extent
from data_processor.engine.json_types import infer, json_scan
from data_processor.engine.quoting import literal
from data_processor.engine.reading import Reading
from data_processor.errors import EmptyData, UnreadableData


def prepare(connection: duckdb.DuckDBPyConnection, path: Path, format_: str) -> Path:
    """A Parquet copy beside the file. Raises UnreadableData, EmptyData, MemoryLimitExceeded."""
    copy = path.with_name(f"{path.name}.prepared.parquet")
    match format_:
        case "arrow":
            _from_arrow(connection, path, copy)
        case "xlsx":
            _from_excel(connection, path, copy)
        case _:
            raise ValueError(format_)
    return copy


def _from_arrow(connection: duckdb.DuckDBPyConnection, path: Path, copy: Path) -> None:
    """Both of Arrow's layouts: the file (`ARROW1` at its start) and the stream."""
    import pyarrow as pa  # noqa: PLC0415 - 60 MB of memory that few workers need

    try:
        with pa.memory_map(str(path)) as source:
            is_file = source.read(6) == b"ARROW1"
            source.seek(0)
            batches = _batches_of_file(source) if is_file else pa.ipc.open_stream(source)
            connection.register("arrow_batches", batches)
            connection.execute(f"COPY (FROM arrow_batches) TO {literal(str(copy))} (FORMAT parquet)")
            connection.unregister("arrow_batches")
    except pa.ArrowException as error:
        raise UnreadableData(f"The file is not readable as Arrow: {error}") from error


def _batches_of_file(source: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    reader = pa.ipc.open_file(source)
    batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
    return pa.RecordBatchReader.from_batches(reader.schema, batches)


def _from_excel(connection: duckdb.DuckDBPyConnection, path: Path, copy: Path) -> None:
    """The first sheet; its first row names the columns."""
    lines = path.with_name(f"{path.name}.jsonl")
    with lines.open("wb") as file:
        for record in _records_of_sheet(path):
            file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
    scan = json_scan(lines, "newline_delimited")
    reading = Reading("jsonl", "none", infer(connection, scan), 0, {"format": "newline_delimited"})
    connection.execute(f"COPY (FROM {reading.scan(lines)}) TO {literal(str(copy))} (FORMAT parquet)")
    lines.unlink()


def _records_of_sheet(path: Path) -> Iterator[dict[str, Any]]:
    import python_calamine as calamine  # noqa: PLC0415

    check_extent(path)
    try:
        sheet = calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0)
        rows = sheet.iter_rows()
        header = next(rows, [])
    except (calamine.CalamineError, IndexError) as error:
        raise UnreadableData(f"The file is not readable as an Excel workbook: {error}") from error
    names = unique_names([str(cell).strip() for cell in header])
    if not names:
        raise EmptyData("The first sheet is empty")
    yielded = False
    for row in rows:
        yielded = True
        yield {name: _cell(value) for name, value in zip(names, row, strict=False)}
    if not yielded:
        yield dict.fromkeys(names)


def unique_names(names: list[str]) -> list[str]:
    """Names for columns: empty ones are numbered, repeated ones get a suffix."""
    taken: set[str] = set()
    given = []
    for number, name in enumerate(names):
        base = name or f"column{number}"
        unique, suffix = base, 0
        while unique.casefold() in taken:
            suffix += 1
            unique = f"{base}_{suffix}"
        taken.add(unique.casefold())
        given.append(unique)
    return given


def _cell(value: Any) -> Any:
    """A cell as JSON. Excel has no integers, so a whole number is one; an empty cell is a null."""
    if isinstance(value, str):
        return value if value else None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date()
    if isinstance(value, dt.timedelta):
        return str(value)
    return value
