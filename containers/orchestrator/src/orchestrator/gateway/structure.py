"""How many values a JSON body has, counted as it passes by, since parsing holds up everybody else.

Measured: 32 MiB of nested lists keep an event loop for 6 to 11 seconds, whatever the parser, and a thread would not
help, since parsers hold the interpreter's lock. MOST_VALUES of them take 0.1 to 0.2 seconds. Texts are as long as ever.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator

from ai_semble.errors import BodyTooLarge
from orchestrator.gateway.calls import Body, Call

MOST_VALUES = 250_000
_PIECE = 64 * 1024
# A text with its end, or all that is there of one without; then the group has what the piece ends with. Possessive, so
# that no part of a text is ever looked at twice.
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|(\\?)\Z)', re.DOTALL)
_REST_OF_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_SEPARATORS = (b",", b"[", b"{")
# It gives tables to a process of their own, as they are.
_PARSES_NOTHING = "data-processor"
_TAKES_FORMS = "vision"


class Values:
    """`feed` it the pieces of a document; what stands in its texts does not count."""

    def __init__(self) -> None:
        self.number = 0
        self._in_text = False
        self._escaped = False

    def feed(self, piece: bytes) -> None:
        """Raises BodyTooLarge when there are more than MOST_VALUES."""
        for start in range(0, len(piece), _PIECE):
            self._count(piece[start : start + _PIECE])
            if self.number > MOST_VALUES:
                raise BodyTooLarge(
                    f"The body has more than {MOST_VALUES:,} values",
                    hint="Send fewer members, lists and objects at once; upload a table as a dataset.",
                )

    def _count(self, piece: bytes) -> None:
        if self._in_text:
            if not self._escaped and b'"' not in piece and b"\\" not in piece:
                return  # as most of a picture in base64
            piece = self._after_text(piece)
        parts: list[bytes | None] = _TEXT.split(piece)
        bare = b"".join(part for part in parts[::2] if part)
        self.number += sum(bare.count(separator) for separator in _SEPARATORS)
        if len(parts) > 1 and (end := parts[-2]) is not None:
            self._in_text = True
            self._escaped = end == b"\\"

    def _after_text(self, piece: bytes) -> bytes:
        found = _REST_OF_STRING.match(piece, int(self._escaped))
        end = found.end() if found else len(piece)
        self._escaped = piece[end : end + 1] == b"\\"
        self._in_text = end == len(piece) or self._escaped
        return b"" if self._in_text else piece[end + 1 :]


def check(document: bytes) -> None:
    """Raises BodyTooLarge. A short document costs nothing, since it cannot have so many."""
    if len(document) > MOST_VALUES:
        Values().feed(document)


def bounded(call: Call, body: Body) -> Body:
    """The same body; a JSON one raises BodyTooLarge at the piece with a value too many."""
    is_form = call.header("content-type").lower().startswith("multipart/")
    if call.service == _PARSES_NOTHING or (call.service == _TAKES_FORMS and is_form):
        return body
    if isinstance(body, bytes):
        check(body)
        return body
    announced = call.header("content-length")
    if announced.isdecimal() and int(announced) <= MOST_VALUES:
        return body
    return _counted(body)


async def _counted(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    values = Values()
    async for piece in pieces:
        values.feed(piece)
        yield piece
