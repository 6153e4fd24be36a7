"""What a reference resolves to: one thing to fetch, with what is known about it beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Remote:
    """A file behind an address. `digests` are what the registry promises: algorithm -> hexadecimal."""

    address: str
    name: str
    size: int | None = None
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Local:
    """A file or a folder of this machine, read where it lies."""

    path: Path
    size: int


Resolved = Remote | Local
