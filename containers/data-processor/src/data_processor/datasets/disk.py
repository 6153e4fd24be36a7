"""A full disk, in our words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ai_semble.errors import InsufficientStorage

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def on_disk() -> Iterator[None]:
    """Turns `no space left` into InsufficientStorage."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise InsufficientStorage(f"The disk of the datasets is full: {error.strerror}") from error
        raise
