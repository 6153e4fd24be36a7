"""Requests and answers on the disk."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest

from ai_semble.room import Room
from orchestrator.jobs import bodies as bodies_module
from orchestrator.jobs.bodies import MOST_IN_DATABASE, Bodies
from orchestrator.jobs.records import REQUEST


@pytest.fixture
def bodies(tmp_path: Path) -> Bodies:
    made = Bodies(Room(tmp_path / "bodies", 0))
    made.open()
    return made


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def broken() -> AsyncIterator[bytes]:
    yield b"x" * 100_000
    raise ConnectionError("the client left")


async def test_a_short_body_is_kept_in_memory_for_the_database(bodies: Bodies, tmp_path: Path) -> None:
    stored = await bodies.receive("1", REQUEST, pieces(b"ab", b"", b"c"))
    assert (stored.size, stored.content) == (3, b"abc")
    assert stored.digest == hashlib.sha256(b"abc").hexdigest()
    assert list((tmp_path / "bodies").iterdir()) == []


@pytest.mark.parametrize("size", [MOST_IN_DATABASE + 1, 1_000_000])
async def test_a_long_body_is_a_file(bodies: Bodies, size: int) -> None:
    content = os.urandom(size)
    stored = await bodies.receive("1", REQUEST, pieces(content[:10_000], content[10_000:]))
    assert (stored.size, stored.content) == (size, None)
    assert stored.digest == hashlib.sha256(content).hexdigest()
    assert b"".join([piece async for piece in bodies.read("1", REQUEST)]) == content
    assert bodies.size("1", REQUEST) == size
    bodies.discard("1")
    assert bodies.owners() == set()


async def test_a_body_that_breaks_off_leaves_nothing(bodies: Bodies) -> None:
    with pytest.raises(ConnectionError):
        await bodies.receive("1", REQUEST, broken())
    assert bodies.owners() == set()


@pytest.mark.parametrize(
    ("module", "step"), [(bodies_module, "FileIO"), (os, "fsync")], ids=["opening", "putting in place"]
)
async def test_a_client_that_leaves_while_a_thread_writes_leaves_nothing(
    bodies: Bodies, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    original, reached, go_on = getattr(module, step), threading.Event(), threading.Event()

    def held(*arguments: object) -> object:
        reached.set()
        assert go_on.wait(10)
        return original(*arguments)

    monkeypatch.setattr(module, step, held)
    receiving = asyncio.create_task(bodies.receive("1", REQUEST, pieces(b"x" * 100_000)))
    assert await asyncio.to_thread(reached.wait, 10)
    receiving.cancel()
    await asyncio.wait({receiving}, timeout=0.1)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await receiving
    await asyncio.get_running_loop().shutdown_default_executor()  # whatever a thread does is done
    assert bodies.owners() == set()


async def test_what_a_crash_left_half_written_is_removed(bodies: Bodies, tmp_path: Path) -> None:
    (tmp_path / "bodies" / "1.request.part").write_bytes(b"half")
    bodies.discard_unfinished()
    assert bodies.owners() == set()


FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from ai_semble.errors import InsufficientStorage
from ai_semble.room import Room
from orchestrator.jobs.bodies import Bodies

async def long():
    for _ in range(100):
        yield b"x" * 10_000

async def main():
    bodies = Bodies(Room(Path(sys.argv[1]), 0))
    bodies.open()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        await bodies.receive("1", "request", long())
    except InsufficientStorage as error:
        print(error.code, bodies.owners())

asyncio.run(main())
"""


def test_a_full_disk_is_told_as_such_and_nothing_is_left(tmp_path: Path) -> None:
    """A limit on file sizes stands in for a full disk."""
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "insufficient_storage set()\n"
