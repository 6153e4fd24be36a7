"""Writing that no full disk may prevent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ai_semble.errors import InsufficientStorage
from ai_semble.logs import get_logger
from orchestrator.jobs.slots import back_off

log = get_logger(__name__)
T = TypeVar("T")


async def surely(write: Callable[[], Awaitable[T]], not_written: str) -> T:
    """Write as soon as the disk has room: what happened has happened. `not_written` is said at each try that fails."""
    tries = 0
    while True:
        try:
            return await write()
        except InsufficientStorage as error:
            tries += 1
            log.warning(not_written, detail=error.detail, hint=error.user_hint, tries=tries)
            await asyncio.sleep(back_off(tries))
