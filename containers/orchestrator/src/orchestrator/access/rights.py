"""What the key of a run may do while nobody waits for it: each step is judged as a call with its key would be."""

from __future__ import annotations

import time
from collections.abc import Collection

from orchestrator.access.control import Access
from orchestrator.access.errors import ApiKeyExpired, ApiKeyRevoked
from orchestrator.access.holder import Hold
from orchestrator.access.keys import Key, Scope, Standing


class Rights:
    """Of the key as it is now: one that was revoked, or whose scopes are others, changes what comes after."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def check(self, owner: str | None, scopes: Collection[Scope]) -> None:
        """Raises ScopeMissing, ApiKeyRevoked, ApiKeyExpired, KeysUnavailable. Without an owner all is allowed."""
        if owner is not None:
            key = await self._valid(owner)
            for scope in sorted(scopes):
                self._access.check_scope(key, scope)

    async def hold(self, owner: str | None, scope: Scope, path: str, body: bytes) -> Hold | None:
        """What holds the tokens of a call, if they are counted; the call itself is counted as a request.

        Raises RateLimitExceeded, and what `check` and `Access.judge` raise.
        """
        if owner is None:
            return None
        key = await self._valid(owner)
        self._access.check_scope(key, scope)
        self._access.budgets.count(key)
        return self._access.judge(key, path, body) if self._access.looks_into(key, path) else None

    async def _valid(self, owner: str) -> Key:
        key = await self._access.known_key(owner)
        match key and key.standing(time.time()):
            case Standing.EXPIRED:
                raise ApiKeyExpired(f"The key {owner} of this run has expired")
            case Standing.REVOKED | None:
                raise ApiKeyRevoked(f"The key {owner} of this run was revoked")
        assert key is not None  # noqa: S101 - None was handled above
        return key
