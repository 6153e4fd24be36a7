"""The secret that the services of one environment share."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

TOKEN_VARIABLE = "AI_SEMBLE_TOKEN_FILE"  # noqa: S105 - the name of a variable


def ensure_token(path: Path) -> str:
    """The token in this file; made at the first call, readable by its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    token = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return token
