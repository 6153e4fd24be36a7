"""One operation's database: tables by name, expressions run, rows out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import duckdb
import ibis
import ibis.expr.datatypes as dt
import orjson
from ibis.backends.sql.datatypes import DuckDBType

from data_processor.engine import rows as encoding
from data_processor.engine.json_types import check_cases, infer, json_scan
from data_processor.engine.quoting import identifier, select
from data_processor.engine.reading import Reading
from data_processor.errors import ComputationFailed, EmptyData, UnreadableData
from data_processor.workers.jobs import Limits

# Types that Ibis does not know become text, or the nearest that it knows.
_REPLACED = {'"NULL"': "VARCHAR", "VARIANT": "JSON", "UHUGEINT": "DOUBLE"}


@dataclass(frozen=True)
class Opened:
    """A dataset as the service lends it: its file in the job's folder, and how it is read."""

    path: Path
    reading: Reading


OpenDataset = Callable[[str], Opened]
"""Raises UnknownDataset."""


@dataclass(frozen=True)
class Page:
    """The first rows of a table, encoded, and how many there are in all."""

    columns: list[dict[str, str]]
    records: list[orjson.Fragment]
    total: int


class Countable(Protocol):
    """A table with what is known about it; `operations.frame.Frame` is one."""

    @property
    def table(self) -> ibis.Table: ...
    @property
    def streams(self) -> bool: ...
    @property
    def counted(self) -> ibis.Table | None: ...
    @property
    def rows(self) -> int | None: ...


class Session:
    """Wraps a connection for the operations. `expression` is always an Ibis table over views made here."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, folder: Path, limits: Limits, open_dataset: OpenDataset
    ) -> None:
        self.connection = connection
        self.limits = limits
        self.rows_read = 0
        self.spilled = 0
        self._folder = folder
        self._open_dataset = open_dataset
        self._numbers = count(1)
        self._datasets: dict[str, ibis.Table] = {}

    def dataset(self, name: str) -> ibis.Table:
        """A stored dataset. Raises UnknownDataset."""
        if name not in self._datasets:
            opened = self._open_dataset(name)
            self._datasets[name] = self.file(opened.path, opened.reading)
        return self._datasets[name]

    def file(self, path: Path, reading: Reading) -> ibis.Table:
        self.rows_read += reading.rows
        return self.view(f"FROM {reading.scan(path)}")

    def records(self, records: list[dict[str, Any]]) -> ibis.Table:
        """Inline rows, types inferred from all of them."""
        if any("" in record for record in records):
            raise UnreadableData("A record has a field without a name")
        if not any(records):
            raise EmptyData("The records have no fields")
        check_cases({name for record in records for name in record})
        path = self._folder / f"records-{next(self._numbers)}.jsonl"
        with path.open("wb") as file:
            file.writelines(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)
        columns = infer(self.connection, json_scan(path, "newline_delimited"))
        reading = Reading("jsonl", "none", columns, len(records), {"format": "newline_delimited"})
        self.rows_read += len(records)
        name = self._new_name()
        self.connection.execute(f"CREATE TABLE {name} AS FROM {reading.scan(path)}")
        path.unlink()
        return self.view(f"FROM {name}")

    def view(self, sql: str) -> ibis.Table:
        """A view of our own SQL, as an Ibis table."""
        described = self.connection.execute(f"DESCRIBE {sql}").fetchall()
        kinds = {name: kind for name, kind, *_ in described}
        casts = [
            f"CAST({identifier(name)} AS {other}) AS {identifier(name)}"
            for name, kind in kinds.items()
            if (other := _replacement(kind))
        ]
        if casts:
            sql = select(f"* REPLACE ({', '.join(casts)})", f"({sql})")
        view = self._new_name()
        self.connection.execute(f"CREATE VIEW {view} AS {sql}")
        return ibis.table({name: _ibis_type(kind) for name, kind in kinds.items()}, name=view)

    def saved(self, expression: ibis.Table) -> ibis.Table:
        """The same table, named, so that SQL can read it."""
        return self.view(self.sql(expression))

    def numbered(self, expression: ibis.Table, number: str) -> ibis.Table:
        """The table with the number of each row, from 1, in a new column.

        In SQL of our own, since DuckDB has a short cut for exactly this and Ibis writes it another way: half the time.
        """
        return self.view(
            select(f"*, row_number() OVER () AS {identifier(number)}", f"({self.sql(expression)})")
        )

    def _new_name(self) -> str:
        # No name of a dataset begins with an underscore, and SQL may name only datasets.
        return f"__t{next(self._numbers)}"

    def sql(self, expression: ibis.Expr) -> str:
        return str(ibis.to_sql(expression, dialect="duckdb", pretty=False))

    def run(self, sql: str) -> duckdb.DuckDBPyConnection:
        return self.connection.execute(sql)

    def types(self, expression: ibis.Table) -> dict[str, str]:
        """DuckDB's type of each column."""
        found = self.run(f"DESCRIBE {self.sql(expression)}").fetchall()
        return {name: kind for name, kind, *_ in found}

    def row(self, expression: ibis.Table) -> Mapping[str, Any]:
        """The only row of a table."""
        cursor = self.run(self.sql(expression))
        names, _ = header(cursor)
        values = cursor.fetchall()[0]
        self.note_spill()
        return dict(zip(names, values, strict=True))

    def fetch(self, expression: ibis.Table) -> list[tuple[Any, ...]]:
        """All rows; only for what is known to be short."""
        found = self.run(self.sql(expression)).fetchall()
        self.note_spill()
        return found

    def count(self, expression: ibis.Table) -> int:
        return self._count(f"({self.sql(expression)})")

    def _count(self, source: str) -> int:
        found = self.run(select("count(*)", source)).fetchall()
        self.note_spill()
        return int(found[0][0])

    def page(self, frame: Countable, most: int) -> Page:
        """The first `most` rows and the count of all.

        A table that streams (filter, select, derive) is asked twice, for a few rows and for a count, each of
        which is cheap. Any other is computed once, kept (on disk if need be), and counted there.
        """
        source, counted = f"({self.sql(frame.table)})", frame.counted
        if not frame.streams:
            name, counted = self._new_name(), None
            self.run(f"CREATE TEMP TABLE {name} AS {source[1:-1]}").fetchall()
            self.note_spill()
            source = name
        cursor = self.run(f"FROM {source} LIMIT {most + 1}")
        names, types = header(cursor)
        found = cursor.fetchall()
        self.note_spill()
        total = len(found)
        if total > most:
            total = frame.rows or self._count(f"({self.sql(counted)})" if counted is not None else source)
        records = encoding.encode(names, types, found[:most], self.limits.max_answer)
        columns = [{"name": name, "type": kind} for name, kind in zip(names, types, strict=True)]
        return Page(columns, records, total)

    def note_spill(self) -> None:
        """Most of the disk that a statement used for intermediate results."""
        profile = self.connection.get_profiling_information()
        found = orjson.loads(profile).get("system", {}) if profile else {}
        self.spilled = max(self.spilled, found.get("peak_temp_dir_size", 0))


def header(cursor: duckdb.DuckDBPyConnection) -> tuple[list[str], list[str]]:
    """Names and types of the columns of an answer."""
    described = cursor.description or ()
    return [item[0] for item in described], [str(item[1]) for item in described]


def _replacement(kind: str) -> str | None:
    if kind in _REPLACED:
        return _REPLACED[kind]
    return "VARCHAR" if isinstance(_ibis_type(kind), dt.Unknown) else None


def _ibis_type(kind: str) -> dt.DataType:
    try:
        return DuckDBType.from_string(_REPLACED.get(kind, kind))
    except Exception as error:
        raise ComputationFailed(f"The type {kind} is not supported") from error
