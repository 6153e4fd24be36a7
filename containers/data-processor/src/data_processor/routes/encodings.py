"""The encodings of text that uploads may have."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from ai_semble.errors import FieldProblem, InvalidRequest

_LONGEST_NAME = 32
_ISO_8859 = [f"iso-8859-{part}" for part in range(1, 17) if part != 12]  # there is no part 12
_WINDOWS = [f"windows-125{page}" for page in range(9)]
# Python has more, among them some that are no text (punycode, undefined) or take time that grows with the
# square of the length (idna).
_NAMES = (
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "ascii", "latin-1"),
    *_ISO_8859,
    *_WINDOWS,
    *("shift_jis", "cp932", "euc-jp", "iso-2022-jp", "gb18030", "gbk", "big5", "euc-kr"),
    *("koi8-r", "koi8-u", "mac-roman"),
)
_HINT = (
    "Use utf-8, utf-8-sig, utf-16, utf-16-le, utf-16-be, utf-32, ascii, latin-1, iso-8859-1 to -16, windows-1250 "
    "to -1258, shift_jis, cp932, euc-jp, iso-2022-jp, gb18030, gbk, big5, euc-kr, koi8-r, koi8-u or mac-roman."
)


def decoder(encoding: str) -> Callable[[bytes, bool], str]:
    """Decodes text piece by piece. Raises InvalidRequest for an encoding that is not accepted."""
    found = _found(encoding)
    if found is None or found.name not in {codecs.lookup(name).name for name in _NAMES}:
        sentence = f"{encoding[:50]!r} is not an encoding that is read"
        raise InvalidRequest(sentence, hint=_HINT, fields=[FieldProblem("encoding", sentence)])
    return found.incrementaldecoder().decode


def _found(encoding: str) -> codecs.CodecInfo | None:
    if len(encoding) > _LONGEST_NAME:  # Python remembers every name that it is asked for
        return None
    try:
        return codecs.lookup(encoding)
    except (LookupError, ValueError):  # a ValueError for a NUL in the name
        return None
