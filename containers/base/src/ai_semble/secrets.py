"""The secret that the services of one environment share."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from ai_semble.errors import InvalidConfiguration

TOKEN_VARIABLE = "AI_SEMBLE_TOKEN_FILE"  # noqa: S105 - the name of a variable


def ensure_token(path: Path) -> str:
    """The token in this file; made at the first call, readable by its owner alone. Raises InvalidConfiguration.

    Five services start at once and all call this: the file gets its name only when it is whole, and the
    first to name it wins. An empty token would let everybody in, so it is refused.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _make(path)
    token = path.read_text(encoding="ascii").strip()
    if not token:
        raise InvalidConfiguration(f"The token file {path} is empty", hint="Delete it; a new one is made.")
    return token


def health_token(token: str) -> str:
    """What opens the orchestrator's health and metrics where keys are needed, made from the environment's token.

    It opens nothing else, and the token does not follow from it: another program may have the orchestrator's port.
    """
    return hashlib.sha256(f"health {token}".encode()).hexdigest()


def _make(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
