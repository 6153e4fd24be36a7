"""A request body on its way to a service, watched so that neither side can hold it up for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator


class Upload:
    """Passes the chunks of a body on. `patience` ends when the service has not taken one for too long.

    `error` is what the body itself raised: aiohttp would report only that the connection broke.
    """

    def __init__(self, chunks: AsyncIterable[bytes], silence_s: float) -> None:
        self.error: Exception | None = None
        self.patience = asyncio.timeout(None)
        self._chunks = chunks
        self._silence_s = silence_s
        self._head_arrived = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._chunks:
                self._wait(self._silence_s)
                yield chunk
                self._wait(None)
        except Exception as error:
            self.error = error
            raise

    def head_arrived(self) -> None:
        """The service answers already; from now on its silence counts, not its reading."""
        self._head_arrived = True

    def _wait(self, seconds: float | None) -> None:
        if not self._head_arrived:
            self.patience.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)
