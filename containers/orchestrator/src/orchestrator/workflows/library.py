"""The workflows that are stored, with all their versions."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from ai_semble.schemas.runs import Workflow, WorkflowSummary, WorkflowVersion
from ai_semble.schemas.workflows import WorkflowDefinition
from orchestrator.jobs.askers import Asker
from orchestrator.jobs.database import Database
from orchestrator.jobs.views import moment
from orchestrator.sqlfiles import queries_of
from orchestrator.workflows.checking import Checked
from orchestrator.workflows.errors import WorkflowNotFound, WorkflowOfAnother
from orchestrator.workflows.graph import Graph, graph_of
from orchestrator.workflows.store import PACKAGE


@dataclass(frozen=True)
class Stored:
    """One version; `definition` as JSON."""

    name: str
    owner: str | None
    version: int
    source: str
    definition: str
    created_at: float

    @classmethod
    def of(cls, row: sqlite3.Row) -> Stored:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


class Library:
    """Everybody reads and runs all workflows; only their owners replace and delete them."""

    def __init__(
        self, database: Database, check_room: Callable[[int], None], clock: Callable[[], float] = time.time
    ) -> None:
        """`check_room` raises InsufficientStorage when the disk has not so many bytes left."""
        self._database = database
        self._check_room = check_room
        self._clock = clock

    async def put(self, name: str, source: str, checked: Checked, asker: Asker) -> tuple[Stored, bool]:
        """The stored version, and whether the workflow is new. The same file again is no new version.

        Raises WorkflowOfAnother, InsufficientStorage.
        """
        now = self._clock()
        definition = orjson.dumps(checked.document).decode()
        self._check_room(len(source) + len(definition))

        def work(connection: sqlite3.Connection) -> tuple[Stored, bool]:
            _check_owner(connection, name, asker)
            known = _find(connection, name, None)
            if known is not None and known.source == source:
                return known, False
            row = _first(connection, "put", {"name": name, "owner": asker.owner})
            assert row is not None  # noqa: S101 - an INSERT with RETURNING gives its row
            values = {"name": name, "version": row["latest"], "source": source, "now": now}
            connection.execute(_query("put_version"), {**values, "definition": definition})
            stored = _find(connection, name, None)
            assert stored is not None  # noqa: S101 - just written
            return stored, known is None

        return await self._database.write(work)

    async def get(self, name: str, version: int | None = None) -> Stored:
        """Raises WorkflowNotFound."""
        stored = await self._database.read(lambda connection: _find(connection, name, version))
        if stored is None:
            which = f"version {version} of {name}" if version is not None else f"workflow {name}"
            raise WorkflowNotFound(f"There is no {which}")
        return stored

    async def all(self) -> tuple[WorkflowSummary, ...]:
        """By name. What is in the files stays on the disk: together they may be long."""

        def work(connection: sqlite3.Connection) -> tuple[WorkflowSummary, ...]:
            rows = map(dict, connection.execute(_query("all")))
            return tuple(WorkflowSummary(**{**row, "created_at": moment(row["created_at"])}) for row in rows)

        return await self._database.read(work)

    async def versions(self, name: str) -> tuple[WorkflowVersion, ...]:
        def work(connection: sqlite3.Connection) -> tuple[WorkflowVersion, ...]:
            rows = connection.execute(_query("versions"), {"name": name})
            return tuple(
                WorkflowVersion(version=row["version"], created_at=moment(row["created_at"])) for row in rows
            )

        return await self._database.read(work)

    async def delete(self, name: str, asker: Asker) -> None:
        """All versions; runs go on with what they have. Raises WorkflowNotFound, WorkflowOfAnother.

        The name stays its owner's, and no number comes again: schedules and other workflows may still name them.
        """

        def work(connection: sqlite3.Connection) -> bool:
            _check_owner(connection, name, asker)
            return connection.execute(_query("delete"), {"name": name}).rowcount > 0

        if not await self._database.write(work):
            raise WorkflowNotFound(f"There is no workflow {name}")


def detail(stored: Stored, versions: tuple[WorkflowVersion, ...]) -> Workflow:
    definition = orjson.loads(stored.definition)
    return Workflow(**_facts(stored), definition=definition, source=stored.source, versions=versions)


def graph(stored: Stored) -> Graph:
    return graph_of(WorkflowDefinition.model_validate_json(stored.definition))


def _facts(stored: Stored) -> dict[str, object]:
    definition = orjson.loads(stored.definition)
    return {
        "name": stored.name,
        "description": definition.get("description") or "",
        "owner": stored.owner,
        "version": stored.version,
        "created_at": moment(stored.created_at),
        "steps": len(definition["steps"]),
    }


def _check_owner(connection: sqlite3.Connection, name: str, asker: Asker) -> None:
    row = _first(connection, "owner", {"name": name})
    if row is not None and not asker.sees(row["owner"]):
        raise WorkflowOfAnother(f"{name} was stored with another key")


def _query(name: str) -> str:
    return queries_of(PACKAGE, "library")[name]


def _first(connection: sqlite3.Connection, query: str, values: dict[str, object]) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(_query(query), values).fetchone()
    return row


def _find(connection: sqlite3.Connection, name: str, version: int | None) -> Stored | None:
    row = _first(connection, "workflow", {"name": name, "version": version})
    return Stored.of(row) if row else None
