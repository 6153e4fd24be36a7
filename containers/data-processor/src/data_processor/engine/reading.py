"""How a file is read: what was found out about it once, kept, and given to every operation that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data_processor.engine.quoting import call


@dataclass(frozen=True)
class FoundColumn:
    """A column of a file: its name, DuckDB's type, and how many of its values are null."""

    name: str
    type: str
    nulls: int | None = None


@dataclass(frozen=True)
class Reading:
    """A file's format, columns and row count. `options` are arguments of DuckDB's reader.

    `prepared` says that the file read is a Parquet copy, since DuckDB cannot read the original.
    """

    format: str
    compression: str
    columns: tuple[FoundColumn, ...]
    rows: int
    options: Mapping[str, Any] = field(default_factory=dict)
    prepared: bool = False

    def facts(self) -> dict[str, Any]:
        """As JSON; `of` reads it back."""
        return asdict(self)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Reading:
        columns = tuple(FoundColumn(**column) for column in facts["columns"])
        return cls(**{**facts, "columns": columns})

    def scan(self, path: Path) -> str:
        """The table function call that reads this file, as SQL."""
        if self.prepared or self.format == "parquet":
            return call("read_parquet", path, {})
        reader = "read_csv" if self.format in ("csv", "tsv") else "read_json"
        columns = {column.name: column.type for column in self.columns}
        options = {"auto_detect": False, "columns": columns, "compression": self.compression, **self.options}
        return call(reader, path, options)
