"""One orchestrator a state folder."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from orchestrator.jobs.errors import StateFolderTaken
from orchestrator.jobs.lock import FolderLock


async def test_a_second_orchestrator_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.jobs.lock.PATIENCE_S", 0.2)
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    await first.take()
    with pytest.raises(StateFolderTaken, match=str(tmp_path)):
        await second.take()
    first.release()
    await second.take()
    second.release()


async def test_the_next_orchestrator_waits_until_the_last_has_gone(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    await first.take()
    waiting = asyncio.create_task(second.take())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    first.release()
    await waiting
    second.release()
