"""Named queries and forward-only migrations, from the `.sql` files of a package."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries_of(package: str, name: str) -> Mapping[str, str]:
    """Every query of `sql/<name>.sql` by its name."""
    text = files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))


def migrate_to(connection: sqlite3.Connection, package: str) -> None:
    """Bring a database up to date with `migrations/`; each migration is applied whole or not at all."""
    applied = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, script in _migrations(package).items():
        if number > applied:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")


def _migrations(package: str) -> Mapping[int, str]:
    folder = files(package).joinpath("migrations")
    scripts = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda f: f.name)
    return {int(file.name.partition("_")[0]): file.read_text(encoding="utf-8") for file in scripts}
