"""The SQL of the jobs, from the `.sql` files of this package."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from orchestrator.sqlfiles import migrate_to, queries_of

_PACKAGE = "orchestrator.jobs"


def queries() -> Mapping[str, str]:
    """Every query by its name."""
    return queries_of(_PACKAGE, "jobs")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database up to date; each migration is applied whole or not at all."""
    migrate_to(connection, _PACKAGE)
