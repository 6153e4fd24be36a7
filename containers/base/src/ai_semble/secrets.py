"""The secret that the services of one environment share."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ai_semble.errors import InvalidConfiguration

TOKEN_VARIABLE = "AI_SEMBLE_TOKEN_FILE"  # noqa: S105 - the name of a variable


def ensure_token(path: Path) -> str:
    """The token in this file; made at the first call, readable by its owner alone. Raises InvalidConfiguration.

    Five services start at once and all call this. An empty token would let everybody in, so it is refused.
    """
    if not path.exists():
        with new_private_file(path) as draft:
            draft.write_text(secrets.token_urlsafe(32) + "\n", encoding="ascii")
    token = path.read_text(encoding="ascii").strip()
    if not token:
        raise InvalidConfiguration(f"The token file {path} is empty", hint="Delete it; a new one is made.")
    return token


def health_token(token: str) -> str:
    """What opens the orchestrator's health and metrics where keys are needed, made from the environment's token.

    It opens nothing else, and the token does not follow from it: another program may have the orchestrator's port.
    """
    return hashlib.sha256(f"health {token}".encode()).hexdigest()


@contextmanager
def new_private_file(path: Path) -> Iterator[Path]:
    """An empty file to be filled, readable by its owner alone. It gets its name only when it is whole, and of several
    who make it at once the first to name it wins.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield draft
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
