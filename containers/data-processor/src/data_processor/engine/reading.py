"""How a file is read: what was found out about it once, kept, and given to every operation that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data_processor.engine.quoting import literal


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
            return f"read_parquet({literal(str(path))})"
        reader = "read_csv" if self.format in ("csv", "tsv") else "read_json"
        types = ", ".join(f"{literal(column.name)}: {literal(column.type)}" for column in self.columns)
        arguments = {"compression": self.compression, **self.options}
        given = "".join(f", {name} = {_value(value)}" for name, value in arguments.items())
        return f"{reader}({literal(str(path))}, auto_detect = false, columns = {{{types}}}{given})"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else literal(str(value))
