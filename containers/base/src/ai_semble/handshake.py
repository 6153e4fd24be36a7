"""A connection until it has proven that it speaks TLS, bounded as every other that makes the server wait."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from ai_semble.logs import get_logger
from ai_semble.protocol import BoundedProtocol, Connections

log = get_logger(__name__)
HANDSHAKE_S = 10.0
# A client that does not say goodbye, too, is not waited for.
_GOODBYE_S = 5.0


class Handshake(asyncio.Protocol):
    """Becomes the protocol that `speak` makes; of too many at once, the one that is longest at it is let go."""

    def __init__(
        self, connections: Connections, context: ssl.SSLContext, speak: Callable[[], BoundedProtocol]
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._all = connections
        self._context = context
        self._speak = speak

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # of TCP, it is one
        self._transport = transport
        transport.pause_reading()  # what comes now is for TLS, which is there in a moment
        self._all.put(self, self._all.shaking)
        self._task = self.loop.create_task(self._shake())

    async def _shake(self) -> None:
        early = _Early()
        try:
            spoken = await self.loop.start_tls(
                self._transport,
                early,
                self._context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=_GOODBYE_S,
            )
        except (OSError, TimeoutError) as error:
            log.debug("handshake_failed", reason=str(error)[:200])
            self._transport.abort()
            return
        finally:
            self._all.put(self, None)
        # Who left in the same moment is gone without a word.
        if spoken is None or spoken.is_closing():
            self._transport.abort()
        else:
            early.hand_over(spoken, self._speak())

    # What `Connections` asks of everybody who is waited for.

    def has_moved(self) -> bool:
        """A handshake is short: bytes of one that does not end are no merit."""
        return False

    def wait(self, seconds: float) -> None:
        """The handshake has a limit of its own."""

    def let_go(self) -> None:
        self._all.put(self, None)
        self._all.let_go += 1
        self._transport.abort()


class _Early(asyncio.Protocol):
    """Keeps what the client says between its handshake and the moment in which somebody listens."""

    def __init__(self) -> None:
        self._said = b""

    def data_received(self, data: bytes) -> None:
        self._said += data

    def hand_over(self, transport: asyncio.Transport, protocol: BoundedProtocol) -> None:
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._said:
            protocol.data_received(self._said)
