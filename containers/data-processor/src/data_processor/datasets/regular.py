"""Files that a worker left in its job's folder, before the service opens or renames them.

A link would lead the service out of the folder, and a pipe would hold it up for ever.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from data_processor.errors import OperationCrashed


def regular_in(folder: Path, name: object) -> Path:
    """A file directly in this folder, by the name that a worker gave. Raises OperationCrashed."""
    if not isinstance(name, str) or Path(name).name != name or "\0" in name:
        raise OperationCrashed(f"The process named a file outside its folder: {str(name)[:100]!r}")
    return check_regular(folder / name)


def check_regular(path: Path) -> Path:
    """The path, if a file is there and no link, pipe or folder. Raises OperationCrashed."""
    try:
        regular = stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        regular = False
    if not regular:
        raise OperationCrashed("The process left something that is not a file")
    return path


def flush(path: Path) -> None:
    """To the disk itself: a dataset that was confirmed survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
