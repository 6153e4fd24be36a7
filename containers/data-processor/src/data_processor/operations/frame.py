"""A table on its way through operations."""

from __future__ import annotations

from dataclasses import dataclass

import ibis


@dataclass(frozen=True)
class Frame:
    """A table expression.

    `streams`: its first rows cost little, as does counting it (see Session.page).
    `counted`: a table with as many rows that is cheaper to count, such as the one before a sort.
    `rows`: how many there are, where that is known.
    """

    table: ibis.Table
    streams: bool = True
    counted: ibis.Table | None = None
    rows: int | None = None

    def with_table(self, table: ibis.Table, *, streams: bool = True, same_rows: bool = False) -> Frame:
        """The next table; once a table does not stream, nothing made from it does."""
        counted = (self.counted if self.counted is not None else self.table) if same_rows else None
        return Frame(table, self.streams and streams, counted, self.rows if same_rows else None)
