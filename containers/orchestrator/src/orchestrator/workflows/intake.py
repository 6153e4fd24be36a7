"""Idempotency keys of runs, as those of jobs. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from orchestrator.jobs.errors import BadIdempotencyKey
from orchestrator.jobs.intake import KEY, of_owner


def checked_key(key: str | None, owner: str | None) -> str | None:
    """The key as it is kept, each owner's own. Raises BadIdempotencyKey."""
    if key is not None and not KEY.fullmatch(key):
        raise BadIdempotencyKey("The Idempotency-Key is not 1 to 255 printable ASCII characters")
    return of_owner(owner, key)


def fingerprint(what: str, request: dict[str, Any]) -> str:
    """The same for the same request."""
    document = orjson.dumps([what, request], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(document).hexdigest()
