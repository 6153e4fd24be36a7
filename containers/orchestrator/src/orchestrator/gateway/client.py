"""The client's side of a relayed call: its body as it comes in, and whether it is still there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Receive

from orchestrator.gateway.calls import Body


class ClientGone(Exception):
    """The client closed its connection; there is nobody left to answer."""


class Client:
    """Made and closed by the task that answers. That task is cancelled when the client goes away."""

    def __init__(self, receive: Receive) -> None:
        self.gone = False
        self._receive = receive
        self._answering = asyncio.current_task()
        self._watch: asyncio.Task[None] | None = None

    async def body(self) -> Body:
        """The whole body when it came in one piece, as nearly all do; otherwise its pieces as they come."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        if message.get("more_body", False):
            return self._pieces(message.get("body", b""))
        self._start_watching()
        piece: bytes = message.get("body", b"")
        return piece

    async def _pieces(self, first: bytes) -> AsyncIterator[bytes]:
        if first:
            yield first
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            more = message.get("more_body", False)
            if piece := message.get("body", b""):
                yield piece
        self._start_watching()

    def close(self) -> None:
        """Stop watching; to be called before the last piece of the answer is sent."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def departed(self) -> bool:
        """Whether a cancellation is due to the client's going; takes it back when it is."""
        if self.gone and self._answering is not None:
            self._answering.uncancel()
        return self.gone

    def _start_watching(self) -> None:
        self._watch = asyncio.get_running_loop().create_task(self._wait_for_departure())

    async def _wait_for_departure(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._answering is not None:
            self._answering.cancel()
