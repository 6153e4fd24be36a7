"""API keys as values: how they are made, read and compared. Pure but for the random bits."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

from ai_semble.redaction import KEY

# 48 bits name a key, 256 bits are its secret.
_ID_BYTES, _SECRET_BYTES = 6, 32
MARK = b"ais_"
PATTERN = re.compile(KEY.encode())
# Compared with when there is no such key, so that this takes as long.
_NOBODY = bytes(32)


class Scope(StrEnum):
    """A part of the API that a key can be for; with ALL_JOBS the jobs, runs and workflows of others, too."""

    LLM = "llm"
    VISION = "vision"
    NLP = "nlp"
    DATA = "data"
    JOBS = "jobs"
    WORKFLOWS = "workflows"
    ALL_JOBS = "all-jobs"
    HEALTH = "health"
    METRICS = "metrics"


class Standing(StrEnum):
    """Whether a key gets its holder in."""

    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Limits:
    """Most requests and tokens in any 60 seconds, and requests at once; None is no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. Times are seconds since 1970; empty `models` are all models.

    `previous` is the digest of the secret that `rotate` replaced, good until `previous_until`.
    """

    id: str
    name: str
    digest: bytes
    scopes: frozenset[Scope]
    models: frozenset[str]
    limits: Limits
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    previous: bytes = _NOBODY
    previous_until: float = 0

    def standing(self, now: float) -> Standing:
        if self.revoked_at is not None:
            return Standing.REVOKED
        if self.expires_at is not None and now >= self.expires_at:
            return Standing.EXPIRED
        return Standing.VALID


def new_id() -> str:
    return secrets.token_hex(_ID_BYTES)


def new_key(key_id: str) -> str:
    """What the holder is given, once: `ais_<id>_<secret>`."""
    return f"ais_{key_id}_{secrets.token_hex(_SECRET_BYTES)}"


def digest(given: bytes) -> bytes:
    """What is kept of a key. A fast hash is enough, since nobody can try 256 random bits."""
    return hashlib.sha256(given).digest()


def claimed_id(given: bytes) -> str | None:
    """The id that something given as a key bears; None when it cannot be a key."""
    found = PATTERN.fullmatch(given)
    return found[1].decode() if found else None


def is_in(text: bytes) -> bool:
    """Whether there is a key in a text."""
    return MARK in text and PATTERN.search(text) is not None


def opens(key: Key | None, given: bytes, now: float) -> bool:
    """Whether this is the key's secret, or the one before while it is still good; the same work for a wrong one."""
    shown = digest(given)
    known = key or _UNKNOWN
    present = hmac.compare_digest(shown, known.digest)
    former = hmac.compare_digest(shown, known.previous)
    return key is not None and (present or (former and now < key.previous_until))


_UNKNOWN = Key("", "", _NOBODY, frozenset(), frozenset(), Limits(), 0)
