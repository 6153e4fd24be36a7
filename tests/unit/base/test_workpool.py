"""Blocking work is bounded, keeps its context, and gives its place back."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ai_semble.context import adopt_request_id, request_id
from ai_semble.errors import Overloaded
from ai_semble.metrics import Metrics
from ai_semble.workpool import WorkPool


def pool(threads: int = 1, waiting: int = 1) -> WorkPool:
    return WorkPool("work", threads=threads, waiting=waiting, metrics=Metrics("test"))


async def test_work_runs_in_another_thread_with_the_callers_request_id() -> None:
    adopt_request_id("r-1")
    work = pool()
    assert await work.run(request_id) == "r-1"
    assert await work.run(threading.get_ident) != threading.get_ident()
    work.close()


async def test_one_more_than_may_wait_is_refused_and_the_others_end() -> None:
    work, gate = pool(threads=1, waiting=1), threading.Event()
    running = asyncio.create_task(work.run(gate.wait))
    waiting = asyncio.create_task(work.run(lambda: "second"))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as caught:
        await work.run(lambda: "third")
    assert caught.value.retry_after
    gate.set()
    assert await running is True
    assert await waiting == "second"
    assert await work.run(lambda: "later") == "later"
    work.close()


async def test_a_caller_that_leaves_while_waiting_never_starts_and_frees_its_place() -> None:
    work, gate = pool(), threading.Event()
    ran: list[str] = []
    running = asyncio.create_task(work.run(gate.wait))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(work.run(ran.append, "ran"))
    await asyncio.sleep(0)
    waiting.cancel()
    gate.set()
    await running
    assert await work.run(lambda: "next") == "next"
    assert ran == []
    work.close()


async def test_a_caller_that_leaves_while_running_keeps_its_thread_busy_until_the_work_ends() -> None:
    work, gate = pool(threads=1, waiting=0), threading.Event()
    running = asyncio.create_task(work.run(gate.wait))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(Overloaded):
        await work.run(lambda: None)
    gate.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await work.run(lambda: "free") == "free"
                break
            except Overloaded:
                await asyncio.sleep(0.001)
    work.close()


async def test_an_error_of_the_work_reaches_the_caller() -> None:
    work = pool()
    with pytest.raises(ZeroDivisionError):
        await work.run(lambda: 1 / 0)
    work.close()
