"""What became of an attack."""

from __future__ import annotations

import httpx


def verdict(answer: httpx.Response) -> tuple[int, str]:
    """The status, and the code of a problem; empty where there is none."""
    return answer.status_code, answer.json().get("code", "")
