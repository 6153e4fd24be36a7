"""One call to a service, and its answer, as values that the relay and the jobs share."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

Body = bytes | AsyncIterable[bytes]
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of a service, without the body.

    `target` is the raw path with its query, as it stands in a request line. `headers` have lower-case names
    and hold only what may go on (see headers.py).
    """

    service: str
    method: str
    target: str
    headers: Headers = ()

    def header(self, name: str) -> str:
        """The first value of a header, given in lower case; empty without one."""
        return next((value for key, value in self.headers if key == name), "")

    def with_headers(self, **changes: str) -> Call:
        """A copy with these headers instead: `content_type=...`; an empty value drops the header."""
        named = {name.replace("_", "-"): value for name, value in changes.items()}
        kept = [(name, value) for name, value in self.headers if name not in named]
        return replace(self, headers=(*kept, *((name, value) for name, value in named.items() if value)))


class Reply:
    """A service's answer: status and end-to-end headers are there, the body is still to come.

    Use it as a context manager: leaving it gives the connection back, or cuts it when the body was not read
    to its end, upon which the service stops its work. `length` of the body is -1 when it was not announced.
    """

    def __init__(
        self,
        status: int,
        headers: list[tuple[bytes, bytes]],
        chunks: AsyncIterator[bytes],
        close: Callable[[], None],
    ) -> None:
        self.status = status
        self.headers = headers
        self.length = next((int(value) for name, value in headers if name == b"content-length"), -1)
        self.chunks = chunks
        self._close = close

    async def read(self) -> bytes:
        """The whole body; only for answers that are known to be small."""
        return b"".join([chunk async for chunk in self.chunks])

    def close(self) -> None:
        self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()
