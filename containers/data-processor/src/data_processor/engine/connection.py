"""A DuckDB of one's own, locked before it sees data.

Of the outside world it can reach the folder of the job. It loads no extensions, and its settings are final.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from data_processor.engine.quoting import literal
from data_processor.workers.jobs import Limits

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    # One thread and no others: a process that is about to confine itself must have no threads yet.
    "threads": "1",
    "async_threads": "0",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
}


def connect() -> duckdb.DuckDBPyConnection:
    """An empty in-memory database, in this one thread. It looks at cgroups, so do this before confining."""
    return duckdb.connect(":memory:", config=_SETTINGS)


def lock(connection: duckdb.DuckDBPyConnection, folder: Path, limits: Limits) -> None:
    """Give it threads, memory, and `folder` to read, write and spill in. Nothing can be set afterwards."""
    settings = {
        "temp_directory": literal(str(folder / "spill")),
        "max_temp_directory_size": f"'{limits.spill}B'",
        "memory_limit": f"'{limits.duckdb_memory}B'",
        "home_directory": literal(str(folder)),
        "secret_directory": literal(str(folder / "none")),
        "TimeZone": "'UTC'",
        "enable_profiling": "'no_output'",
        "tracked_metrics": "['system.peak_temp_dir_size']",
        "threads": str(limits.threads),
        "allowed_directories": f"[{literal(str(folder))}]",
        "enable_external_access": "false",
        "lock_configuration": "true",
    }
    for name, value in settings.items():
        connection.execute(f"SET {name} = {value}")
