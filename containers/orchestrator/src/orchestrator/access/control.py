"""Who gets in: the keys, their budgets and the lock-out of one running orchestrator."""

from __future__ import annotations

import asyncio
import hmac
import math
import secrets
import time
from functools import partial
from types import TracebackType
from typing import Self

from ai_semble.errors import AiSembleError
from ai_semble.listening import is_in_our_image, is_loopback
from ai_semble.logs import get_logger
from ai_semble.secrets import health_token
from ai_semble.service import Runtime
from orchestrator.access import keys, tokens
from orchestrator.access.book import Book
from orchestrator.access.budgets import Budgets
from orchestrator.access.errors import (
    ApiKeyExpired,
    ApiKeyRevoked,
    InvalidApiKey,
    KeysUnavailable,
    ModelNotAllowed,
    ScopeMissing,
    TooManyWrongKeys,
)
from orchestrator.access.holder import Hold
from orchestrator.access.keys import Key, Scope, Standing
from orchestrator.access.ledger import Ledger
from orchestrator.access.lockout import Lockout
from orchestrator.access.needs import OWN_PATHS
from orchestrator.access.store import KeyStore
from orchestrator.access.tokens import Wish

log = get_logger(__name__)


class Access:
    """Open it in the lifespan with `async with`, in a state folder that no other orchestrator has."""

    def __init__(self, runtime: Runtime) -> None:
        config = runtime.config
        self.llm = config.llm
        self.required = config.access.required == "always" or not (
            is_loopback(config.server.host) or is_in_our_image()
        )
        self.budgets = Budgets()
        own = runtime.service_token or secrets.token_hex()
        self._own_token, self._health_token = own.encode(), health_token(own).encode()
        self._book = Book(KeyStore(runtime.paths.keys_file))
        self._ledger = Ledger(runtime.paths.state_dir / "budgets.json", self.budgets)
        self._lockout = Lockout()
        self._refusals = runtime.metrics.counter(
            "ai_semble_access_refusals", "Requests refused for their key or its limits.", ["reason"]
        )

    async def __aenter__(self) -> Self:
        """Raises OSError."""
        await asyncio.to_thread(self._ledger.open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._ledger.close)

    async def key_of(self, given: bytes, address: str) -> Key:
        """The valid key that this is. Raises InvalidApiKey, ApiKeyExpired, ApiKeyRevoked, TooManyWrongKeys,
        KeysUnavailable.
        """
        claimed = keys.claimed_id(given)
        now = time.time()
        try:
            key = (await self._book.keys()).get(claimed or "")
            if claimed and not keys.opens(key, given, now):
                key = (await self._book.keys_now()).get(claimed)
        except KeysUnavailable as error:
            raise self.noted(error, address) from None
        if key is None or not keys.opens(key, given, now):
            raise self.noted(self._stranger(address, claimed), address, key)
        self._lockout.right(address, key.id)
        match key.standing(now):
            case Standing.REVOKED:
                raise self.noted(ApiKeyRevoked(f"The key `{key.name}` was revoked"), address, key)
            case Standing.EXPIRED:
                raise self.noted(ApiKeyExpired(f"The key `{key.name}` has expired"), address, key)
            case Standing.VALID:
                return key

    def is_own(self, given: bytes, path: str) -> bool:
        """Whether the environment itself asks: an update with its token, which opens every service anyway, or
        `deploy.sh status` with what opens nothing but health and metrics.
        """
        return hmac.compare_digest(given, self._own_token) or (
            path in OWN_PATHS and hmac.compare_digest(given, self._health_token)
        )

    def check_scope(self, key: Key, scope: Scope | None) -> None:
        """Raises ScopeMissing."""
        if scope is not None and scope not in key.scopes:
            has = ", ".join(sorted(key.scopes)) or "nothing"
            raise ScopeMissing(f"The key `{key.name}` is for {has}, not for {scope}")

    def check_model(self, key: Key, wish: Wish) -> None:
        """Raises ModelNotAllowed. A call that names no model means the configured one of llama.cpp; what another
        server takes then is not known here.
        """
        if not key.models:
            return
        model = wish.model or (self.llm.model if self.llm.engine == "llama.cpp" else None)
        if model not in key.models:
            what = f"the model `{model}`" if model else "whatever model the server takes"
            raise ModelNotAllowed(
                f"The key `{key.name}` is for {', '.join(sorted(key.models))}, not for {what}"
            )

    def looks_into(self, key: Key, path: str) -> bool:
        """Whether the body of a call has to be known: only where a limit of the key depends on it."""
        counted = key.limits.tokens_per_minute is not None
        if path in tokens.LLM_PATHS:
            return counted or bool(key.models)
        return counted and path == tokens.EMBEDDINGS_PATH

    def judge(self, key: Key, path: str, body: bytes) -> Hold | None:
        """Check what a body asks for that has to be known; what holds its tokens, if they are counted.

        Raises ModelNotAllowed, MaxTokensRequired, and what the service would answer; the hold raises
        RateLimitExceeded and TokensOverLimit.
        """
        limit = key.limits.tokens_per_minute
        if path == tokens.EMBEDDINGS_PATH:
            most = tokens.embeddings_bound(body)
        else:
            wish = tokens.wish_of(path, body)
            self.check_model(key, wish)
            if limit is None:
                return None
            most = tokens.bound_of(wish, self.llm)
        return None if limit is None else partial(self.budgets.hold_tokens, key, limit, most)

    async def known_key(self, key_id: str) -> Key | None:
        """A key by its id, whether it is valid or not. Raises KeysUnavailable."""
        return (await self._book.keys()).get(key_id)

    def noted(self, error: AiSembleError, address: str, key: Key | None = None) -> AiSembleError:
        """The refusal, logged and counted; never with what was given as a key."""
        self._refusals.labels(error.code).inc()
        known = {"key": key.id} if key is not None else {}
        log.warning("access_refused", code=error.code, client=address, **known)
        return error

    def _stranger(self, address: str, claimed: str | None) -> AiSembleError:
        wait = self._lockout.wrong(address, claimed, time.monotonic())
        if wait:
            return TooManyWrongKeys("Too many wrong keys came from this address", retry_after=math.ceil(wait))
        return InvalidApiKey("The key is not one of this environment's")
