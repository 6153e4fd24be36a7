"""One small GET, for asking services on this machine how they are."""

from __future__ import annotations

import asyncio

# Another program may have the port, and no service says more of itself than this.
LONGEST_ANSWER = 1024 * 1024


async def get(
    host: str, port: int, path: str, timeout_s: float, *, token: str = ""
) -> tuple[int, bytes] | None:
    """Status and body; None when there was no whole answer in time. `token` is shown to the service."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _get(host, port, path, token)
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        return None


async def _get(host: str, port: int, path: str, token: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        shown = f"Authorization: Bearer {token}\r\n" if token else ""
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{shown}Connection: close\r\n\r\n"
        writer.write(request.encode("ascii"))
        await writer.drain()
        answer = b""
        while piece := await reader.read(65_536):
            answer += piece
            if len(answer) > LONGEST_ANSWER:
                raise ValueError("not one of our services")
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body
    except IndexError as error:
        raise ValueError("not HTTP") from error
    finally:
        writer.close()
