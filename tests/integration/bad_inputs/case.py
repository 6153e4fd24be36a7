"""One bad input and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Bad:
    """A request that must be refused with `status` and `code`, naming `names` when a field is to blame."""

    name: str
    path: str
    status: int
    code: str
    method: str = "POST"
    json: Any = None
    content: bytes | None = None
    files: Mapping[str, Any] | None = None
    data: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    names: str = ""

    def arguments(self) -> dict[str, Any]:
        """As httpx takes them."""
        given = {"json": self.json, "content": self.content, "files": self.files, "data": self.data}
        return {key: value for key, value in given.items() if value is not None} | {
            "headers": dict(self.headers)
        }


def invalid(name: str, path: str, body: Any, names: str) -> Bad:
    """A body with a field that is refused."""
    return Bad(name, path, 422, "invalid_request", json=body, names=names)
