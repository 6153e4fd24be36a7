"""The file of keys, `keys.sqlite`: what `ai-semble keys` writes and the orchestrator reads.

It has a rollback journal, not a write-ahead log: every change is then a change of the one file, which the running
orchestrator sees by looking at a few bytes of it (see `stamp`).
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from ai_semble.secrets import new_private_file
from orchestrator.access.errors import ApiKeyExists, ApiKeyNotFound, KeysUnavailable
from orchestrator.access.keys import Key, Limits, Scope, digest, new_id, new_key
from orchestrator.sqlfiles import migrate_to, queries_of

_PACKAGE = "orchestrator.access"
_CHANGE_COUNTER = (24, 4)  # offset and length in SQLite's header; each commit raises it
# How long to wait for another's lock. Readers keep callers waiting, and a change is written within milliseconds.
_PATIENCE_MS, _READ_PATIENCE_MS = 5000, 1000
Stamp = tuple[int, int, int, int, bytes]


class KeyStore:
    """Reads and changes; each call opens the file for itself. All raise KeysUnavailable."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._sql = queries_of(_PACKAGE, "keys")

    def all(self) -> Mapping[str, Key]:
        """Every key by its id, oldest first; none when there is no file yet."""
        if self.stamp() is None:
            return {}
        with self._open(_READ_PATIENCE_MS, "BEGIN") as connection:
            return {row["id"]: _key(row) for row in connection.execute(self._sql["all_keys"])}

    def create(
        self,
        name: str,
        scopes: frozenset[Scope],
        models: frozenset[str],
        limits: Limits,
        expires_at: float | None,
    ) -> tuple[Key, str]:
        """A new key, and what its holder is given. Raises ApiKeyExists."""
        self._make()
        key_id = new_id()
        secret = new_key(key_id)
        key = Key(key_id, name, digest(secret.encode()), scopes, models, limits, self._clock(), expires_at)
        with self._open() as connection:
            try:
                connection.execute(self._sql["insert_key"], _columns(key))
            except sqlite3.IntegrityError:
                raise ApiKeyExists(f"There is a key `{name}` already") from None
        return key, secret

    def revoke(self, which: str) -> Key:
        """Take back the key of this id or name. Raises ApiKeyNotFound."""
        with self._open_known(which) as connection:
            key = self._find(connection, which)
            connection.execute(self._sql["revoke"], {"id": key.id, "now": self._clock()})
        return key

    def rotate(self, which: str, grace_s: float) -> tuple[Key, str]:
        """Give a key another secret; the old one is good for so many more seconds. Raises ApiKeyNotFound.

        Its id, rights and limits stay, and what it has used of them.
        """
        with self._open_known(which) as connection:
            key = self._find(connection, which)
            secret = new_key(key.id)
            connection.execute(
                self._sql["rotate"],
                {
                    "id": key.id,
                    "digest": digest(secret.encode()),
                    "previous_until": self._clock() + grace_s if grace_s else 0,
                },
            )
        return key, secret

    def stamp(self) -> Stamp | None:
        """Different after every change; None without a file. Costs a few microseconds."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                seen = os.fstat(descriptor)
                offset, length = _CHANGE_COUNTER
                counter = os.pread(descriptor, length, offset)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(self._path, error) from error
        return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, counter

    def _find(self, connection: sqlite3.Connection, which: str) -> Key:
        row = connection.execute(self._sql["unrevoked"], {"which": which}).fetchone()
        if row is None:
            raise ApiKeyNotFound(f"There is no key `{which}`")
        return _key(row)

    def _make(self) -> None:
        """An empty store."""
        if self.stamp() is not None:
            return
        with new_private_file(self._path) as draft, closing(_connect(draft)) as connection:
            migrate_to(connection, _PACKAGE)

    @contextmanager
    def _open_known(self, which: str) -> Iterator[sqlite3.Connection]:
        if self.stamp() is None:
            raise ApiKeyNotFound(f"There is no key `{which}`, and no other")
        with self._open() as connection:
            yield connection

    @contextmanager
    def _open(
        self, patience_ms: int = _PATIENCE_MS, begin: str = "BEGIN IMMEDIATE"
    ) -> Iterator[sqlite3.Connection]:
        """A transaction on the file as it is."""
        try:
            with closing(_connect(self._path, patience_ms)) as connection:
                _check_is_ours(connection)
                migrate_to(connection, _PACKAGE)
                with connection:
                    connection.execute(begin)
                    yield connection
        except (sqlite3.Error, OSError, ValueError) as error:
            raise _unavailable(self._path, error) from error


def _connect(path: Path, patience_ms: int = _PATIENCE_MS) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout = {patience_ms}")
    return connection


def _check_is_ours(connection: sqlite3.Connection) -> None:
    """An empty file must not become a store without keys. Raises ValueError."""
    if not connection.execute("PRAGMA user_version").fetchone()[0]:
        raise ValueError("it is no store of keys")


def _unavailable(path: Path, error: Exception) -> KeysUnavailable:
    return KeysUnavailable(f"{path.name} cannot be read: {error}", retry_after=1)


def _key(row: sqlite3.Row) -> Key:
    known = {scope.value for scope in Scope}
    return Key(
        id=row["id"],
        name=row["name"],
        digest=row["digest"],
        # A scope of a later version means nothing here.
        scopes=frozenset(Scope(name) for name in json.loads(row["scopes"]) if name in known),
        models=frozenset(json.loads(row["models"])),
        limits=Limits(row["requests_per_minute"], row["tokens_per_minute"], row["parallel"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        previous=row["previous"],
        previous_until=row["previous_until"],
    )


def _columns(key: Key) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "digest": key.digest,
        "scopes": json.dumps(sorted(key.scopes)),
        "models": json.dumps(sorted(key.models)),
        "requests_per_minute": key.limits.requests_per_minute,
        "tokens_per_minute": key.limits.tokens_per_minute,
        "parallel": key.limits.parallel,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
    }
