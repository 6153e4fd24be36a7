"""Content encodings of fetched files, undone piece by piece so that no bomb can go off."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

from orchestrator.fetcher.errors import UrlFetchFailed, UrlTooLarge

_STEP = 64 * 1024
_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


async def bounded(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """The same chunks; raises UrlTooLarge as soon as there are more than `limit` bytes."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise UrlTooLarge(f"The file is longer than {limit} bytes")
        yield chunk


def decoded(chunks: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """The chunks without their content encoding, at most 64 KiB each."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return chunks
    if encoding not in _WINDOWS:
        raise UrlFetchFailed(f"The server sent the encoding `{encoding}`, though it was asked for none")
    return _inflated(chunks, _WINDOWS[encoding])


async def _inflated(chunks: AsyncIterator[bytes], window: int) -> AsyncIterator[bytes]:
    inflater = zlib.decompressobj(window)
    try:
        async for chunk in chunks:
            rest = chunk
            while rest and not inflater.eof:
                if piece := inflater.decompress(rest, _STEP):
                    yield piece
                rest = inflater.unconsumed_tail
    except zlib.error as error:
        raise UrlFetchFailed(f"The server sent a broken compressed file: {error}") from error
    if not inflater.eof:
        raise UrlFetchFailed("The server sent a compressed file that breaks off")
