"""A table on its way through operations."""

from __future__ import annotations

from dataclasses import dataclass

import ibis


@dataclass(frozen=True)
class Frame:
    """A table expression. `streams`: its first rows cost little, as does counting it (see Session.page)."""

    table: ibis.Table
    streams: bool = True

    def with_table(self, table: ibis.Table, *, streams: bool = True) -> Frame:
        """The next table; once a table does not stream, nothing made from it does."""
        return Frame(table, self.streams and streams)
