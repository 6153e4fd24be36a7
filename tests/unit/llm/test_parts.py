"""The decisions, apart from any engine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ai_semble.errors import Overloaded
from ai_services.llm.admission import Admission
from ai_services.llm.engines.llama.loading import devices_used
from ai_services.llm.engines.llama.merging import merged
from ai_services.llm.engines.llama.order import Order
from ai_services.llm.engines.llama.wire import Frame, Kind, Splitter
from ai_services.llm.engines.protocol import Tally

FRAMES = [
    Frame(Kind.CALL, 1, b""),
    Frame(Kind.CHUNK, 2**32 - 1, b"x" * 70_000),
    Frame(Kind.DONE, 3, "終".encode()),
]


@pytest.mark.parametrize("size", [1, 2, 8, 9, 10, 4096, 1_000_000])
def test_frames_arrive_whole_however_the_bytes_are_cut(size: int) -> None:
    data = b"".join(frame.packed() for frame in FRAMES)
    splitter = Splitter()
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    assert [frame for piece in pieces for frame in splitter.feed(piece)] == FRAMES


@pytest.mark.parametrize("flags", [(True, False, True), (False, True, False), (True, True, True)])
def test_an_order_survives_the_wire(flags: tuple[bool, bool, bool]) -> None:
    chat, whole, tally = flags
    order = Order(chat=chat, whole=whole, tally=tally, reserve=131_072, body=b'{"a":1}')
    assert Order.unpacked(order.packed()) == order


def chunk(index: int = 0, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion.chunk", "choices": [choice]}


def test_merged_chunks_are_the_whole_message() -> None:
    whole = merged(
        [
            chunk(role="assistant", content=None),
            chunk(content="Hel"),
            chunk(content="lo"),
            chunk(finish="stop"),
            {"choices": [], "object": "chat.completion.chunk", "usage": {"total_tokens": 5}},
        ]
    )
    assert whole["object"] == "chat.completion"
    assert whole["usage"] == {"total_tokens": 5}
    (choice,) = whole["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Hello"}
    assert choice["finish_reason"] == "stop"


def test_merged_tool_calls_have_their_arguments_joined_in_their_own_places() -> None:
    def call(index: int, **function: str) -> dict[str, Any]:
        begun = {"id": f"call-{index}", "type": "function"} if "name" in function else {}
        return {"index": index, **begun, "function": function}

    whole = merged(
        [
            chunk(role="assistant", content=None, tool_calls=[call(0, name="sum", arguments="")]),
            chunk(tool_calls=[call(0, arguments='{"a"')]),
            chunk(tool_calls=[call(1, name="now", arguments="{}")]),
            chunk(tool_calls=[call(0, arguments=": 1}")]),
            chunk(finish="tool_calls"),
        ]
    )
    first, second = whole["choices"][0]["message"]["tool_calls"]
    assert first == {"id": "call-0", "type": "function", "function": {"name": "sum", "arguments": '{"a": 1}'}}
    assert second["function"] == {"name": "now", "arguments": "{}"}


def test_merged_answers_keep_apart_and_in_order() -> None:
    whole = merged(
        [chunk(1, content="b"), chunk(0, content="a"), chunk(1, content="B"), chunk(0, content="A")]
    )
    assert [choice["message"]["content"] for choice in whole["choices"]] == ["aA", "bB"]


def test_merged_reasoning_stays_apart_from_the_answer() -> None:
    message = merged([chunk(reasoning_content="Hm"), chunk(reasoning_content="m."), chunk(content="Yes.")])
    assert message["choices"][0]["message"] == {
        "reasoning_content": "Hmm.",
        "content": "Yes.",
        "role": "assistant",
    }


@pytest.mark.parametrize(
    ("before", "after", "used"),
    [
        ({}, {}, ("cpu",)),
        ({"cuda0": 8000}, {"cuda0": 6900}, ("cuda0",)),
        ({"cuda0": 8000}, {"cuda0": 7500}, ("cuda0", "cpu")),
        ({"cuda0": 8000}, {"cuda0": 7990}, ("cpu",)),
        ({"cuda0": 8000, "cuda1": 8000}, {"cuda0": 7400, "cuda1": 7500}, ("cuda0", "cuda1")),
        ({"cuda0": 8000}, {"cuda0": 9000}, ("cpu",)),
        ({"cuda0": 8000}, {}, ("cpu",)),
    ],
)
def test_the_device_is_what_took_the_memory(
    before: dict[str, int], after: dict[str, int], used: tuple[str, ...]
) -> None:
    assert devices_used(before, after, size=1000) == used


def test_speed_leaves_the_wait_for_the_first_token_out() -> None:
    assert Tally(completion_tokens=11, first_token_s=5, total_s=6).tokens_per_second == 10
    assert Tally(completion_tokens=1, first_token_s=1, total_s=1).tokens_per_second == 0


async def test_slots_go_round_in_order_of_arrival() -> None:
    admission = Admission(slots=1, queue=3)
    order: list[int] = []

    async def work(number: int) -> None:
        turn = await admission.turn()
        order.append(number)
        await asyncio.sleep(0)
        turn.give_back()

    await asyncio.gather(*(work(number) for number in range(4)))
    assert order == [0, 1, 2, 3]
    assert (admission.busy, admission.waiting) == (0, 0)


async def test_a_call_that_wants_more_slots_is_not_overtaken() -> None:
    admission = Admission(slots=2, queue=2)
    first = await admission.turn()
    wide = asyncio.create_task(admission.turn(2))
    narrow = asyncio.create_task(admission.turn(1))
    await asyncio.sleep(0)
    assert admission.waiting == 2
    first.give_back()
    (await wide).give_back()
    await narrow
    assert admission.busy == 1


async def test_a_full_queue_refuses_with_a_time_that_grows_with_it() -> None:
    refused = []
    for queue in (0, 4):
        admission = Admission(slots=1, queue=queue)
        await admission.turn()
        waiting = [asyncio.create_task(admission.turn()) for _ in range(queue)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as error:
            await admission.turn()
        refused.append(error.value.retry_after or 0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert 0 < refused[0] < refused[1]


async def test_who_leaves_the_queue_in_the_moment_of_his_turn_takes_no_slot() -> None:
    admission = Admission(slots=1, queue=2)
    first = await admission.turn()
    leaving, staying = (asyncio.create_task(admission.turn()) for _ in range(2))
    await asyncio.sleep(0)
    first.give_back()
    leaving.cancel()
    await staying
    assert (admission.busy, admission.waiting) == (1, 0)
