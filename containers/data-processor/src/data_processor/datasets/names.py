"""Names of datasets, which are also names of files and of SQL tables."""

from __future__ import annotations

import re
import unicodedata

from ai_semble.schemas.data_parts import DATASET_NAME
from data_processor.errors import InvalidDatasetName

_NAME = re.compile(DATASET_NAME)
_LONGEST = 64
_LONGEST_BYTES = 200
_RESERVED = ("input",)


def check_name(name: str) -> str:
    """The name, if it is one. Raises InvalidDatasetName."""
    if not is_name(name):
        raise InvalidDatasetName(f"{name[:100]!r} is not a name for a dataset")
    return name


def is_name(name: str) -> bool:
    return (
        _NAME.fullmatch(name) is not None
        and len(name) <= _LONGEST
        and len(name.encode("utf-8", "replace")) <= _LONGEST_BYTES
        and name == normal(name)
        and name not in _RESERVED
    )


def normal(text: str) -> str:
    """One form for what looks the same: `SALES` and `sales` in any width."""
    return unicodedata.normalize("NFKC", text).casefold()
