"""What a worker is told to do, what it may use, and what it answers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

MIB = 1024**2

Kind: TypeAlias = Literal["process", "inspect", "convert"]


@dataclass(frozen=True)
class Limits:
    """What one operation may use. Sizes in bytes."""

    memory: int
    spill: int
    threads: int
    timeout_s: float
    max_rows: int
    max_answer: int
    longest_file: int = sys.maxsize

    @property
    def duckdb_memory(self) -> int:
        """DuckDB's share. The rest is for the interpreter (90 MiB) and what DuckDB does not count: reading, writing."""
        return max(self.memory - max(192 * MIB, self.memory // 4), 64 * MIB)


@dataclass(frozen=True)
class Job:
    """One piece of work. `body` is the request as it came, not yet validated."""

    kind: Kind
    folder: str
    limits: Limits
    parameters: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = b""

    def header(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "folder": self.folder,
            "limits": asdict(self.limits),
            "parameters": dict(self.parameters),
        }

    @classmethod
    def of(cls, header: Mapping[str, Any], body: bytes) -> Job:
        return cls(
            kind=header["kind"],
            folder=header["folder"],
            limits=Limits(**header["limits"]),
            parameters=header["parameters"],
            body=body,
        )


@dataclass(frozen=True)
class Answer:
    """What a worker found: facts for the service, and the body of the HTTP answer if there is one."""

    facts: Mapping[str, Any]
    body: bytes = b""
