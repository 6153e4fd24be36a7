"""The keys as the running orchestrator knows them: read again only when the file has changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from ai_semble.logs import get_logger
from orchestrator.access.errors import KeysUnavailable
from orchestrator.access.keys import Key
from orchestrator.access.store import KeyStore, Stamp

log = get_logger(__name__)
# How old what is known may be, so how long a revoked key may still get in.
LOOK_EVERY_S = 0.2


class Book:
    """Looks at the file's stamp at most every LOOK_EVERY_S, and only when somebody asks."""

    def __init__(self, store: KeyStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known: tuple[Stamp | None, Mapping[str, Key]] | None = None
        self._failure = ""
        self._good_until = 0.0
        self._looking = asyncio.Lock()

    async def keys(self) -> Mapping[str, Key]:
        """Every key by its id. Raises KeysUnavailable as long as the file cannot be read."""
        if self._clock() >= self._good_until:
            async with self._looking:
                if self._clock() >= self._good_until:
                    await self._look()
        return self._read_last()

    async def keys_now(self) -> Mapping[str, Key]:
        """The same, looked up at this moment: a key that was made just now is to be found."""
        async with self._looking:
            if self._known is not None or self._clock() >= self._good_until:
                await self._look()
        return self._read_last()

    def _read_last(self) -> Mapping[str, Key]:
        if self._known is None:
            raise KeysUnavailable(self._failure, retry_after=1)
        return self._known[1]

    async def _look(self) -> None:
        began = self._clock()
        before = self._known
        try:
            self._known = await asyncio.to_thread(self._read, before)
            if self._known is not before:
                log.info("keys_read", count=len(self._known[1]))
        except KeysUnavailable as error:
            self._known, self._failure = None, error.detail
            log.error("keys_unavailable", reason=error.detail)  # noqa: TRY400 - the stack says nothing more
            began = self._clock()  # a look that fails may take long, and all who wait for it would look again
        self._good_until = began + LOOK_EVERY_S

    def _read(
        self, before: tuple[Stamp | None, Mapping[str, Key]] | None
    ) -> tuple[Stamp | None, Mapping[str, Key]]:
        """What is known, read again if it may have changed. The stamp is taken first, so nothing is missed."""
        stamp = self._store.stamp()
        if before is not None and before[0] == stamp:
            return before
        return stamp, self._store.all()
