"""Listens with TLS; a client that is at its handshake is bounded as every other that makes the server wait.

Not `loop.create_server(ssl=...)`, which keeps to itself who is at a handshake, and how many.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from ai_semble.logs import get_logger
from ai_semble.protocol import BoundedProtocol, Connections

log = get_logger(__name__)
HANDSHAKE_S = 10.0
# A client that does not say goodbye, too, is not waited for.
_GOODBYE_S = 5.0
_AFTER_A_FAILURE_S = 0.1

Speak = Callable[[], BoundedProtocol]


class TlsServer:
    """Takes connections from a socket that listens; `speak` makes the protocol of one that speaks TLS."""

    def __init__(
        self, listener: socket.socket, connections: Connections, context: ssl.SSLContext, speak: Speak
    ) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._connections = connections
        self._context = context
        self._speak = speak
        self._accepting = asyncio.create_task(self._accept())

    def close(self) -> None:
        """Take no more connections; who is at a handshake has asked for nothing yet, and goes."""
        self._accepting.cancel()
        for one in list(self._connections.shaking):
            one.let_go()

    async def wait_closed(self) -> None:
        await asyncio.wait([self._accepting])

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        with self._listener:
            while True:
                try:
                    client, _ = await loop.sock_accept(self._listener)
                except OSError as error:  # the client has left already, or there are too many open files
                    log.debug("not_accepted", reason=str(error))
                    await asyncio.sleep(_AFTER_A_FAILURE_S)
                else:
                    Handshake(client, self._connections, self._context, self._speak)


class Handshake:
    """One connection until it has proven that it speaks TLS."""

    def __init__(
        self, client: socket.socket, connections: Connections, context: ssl.SSLContext, speak: Speak
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._client = client
        self._connections = connections
        connections.put(self, connections.shaking)
        self._task = self.loop.create_task(self._shake(context, speak))

    async def _shake(self, context: ssl.SSLContext, speak: Speak) -> None:
        try:
            await self.loop.connect_accepted_socket(
                speak,
                self._client,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=_GOODBYE_S,
            )
        except (OSError, TimeoutError) as error:
            log.debug("handshake_failed", reason=str(error)[:200])
        finally:
            self._connections.put(self, None)

    # What `Connections` asks of everybody who is waited for.

    def has_moved(self) -> bool:
        """A handshake is short: bytes of one that does not end are no merit."""
        return False

    def wait(self, seconds: float) -> None:
        """The handshake has a limit of its own."""

    def let_go(self) -> None:
        self._connections.put(self, None)
        self._connections.let_go += 1
        with suppress(OSError):  # it has left already
            self._client.shutdown(socket.SHUT_RDWR)
