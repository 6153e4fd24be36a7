"""The client's side of a relayed call: its body as it comes in, and whether it is still there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.types import Receive

from ai_semble.errors import BodyTooLarge
from orchestrator.gateway.calls import Body

_PATIENCE_S = 0.02


class ClientGone(Exception):
    """The client closed its connection; there is nobody left to answer."""


class Client:
    """Made and closed by the task that answers. That task is cancelled when the client goes away."""

    def __init__(self, receive: Receive) -> None:
        self.gone = False
        self._receive = receive
        self._answering = asyncio.current_task()
        self._watch: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def body(self) -> Body:
        """The whole body when it came in one piece, as nearly all do; otherwise its pieces as they come.

        Raises ClientGone and BodyTooLarge, also between the pieces.
        """
        piece, more = await self._next()
        if more:
            return self._pieces(piece)
        self._watch_soon()
        return piece

    async def _pieces(self, piece: bytes) -> AsyncIterator[bytes]:
        more = True
        while more:
            if piece:
                yield piece
            piece, more = await self._next()
        if piece:
            yield piece
        self._watch_soon()

    async def _next(self) -> tuple[bytes, bool]:
        try:
            message = await self._receive()
        except HTTPException as error:  # how the envelope ends a body that is too long
            raise BodyTooLarge(error.detail) from error
        if message["type"] == "http.disconnect":
            raise ClientGone
        return message.get("body", b""), message.get("more_body", False)

    def close(self) -> None:
        """Stop watching; to be called before the last piece of the answer is sent."""
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()

    def departed(self) -> bool:
        """Whether a cancellation is due to the client's going; takes it back when it is."""
        if self.gone and self._answering is not None:
            self._answering.uncancel()
        return self.gone

    def _watch_soon(self) -> None:
        # A task for every call would cost a tenth of it, and most are answered before anybody could leave.
        self._timer = asyncio.get_running_loop().call_later(_PATIENCE_S, self._start_watching)

    def _start_watching(self) -> None:
        self._watch = asyncio.get_running_loop().create_task(self._wait_for_departure())

    async def _wait_for_departure(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._answering is not None:
            self._answering.cancel()
