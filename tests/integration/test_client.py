"""The Python client, against the whole platform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_semble_client import AsyncClient, Client, Settings, calls
from ai_semble_client.answers import Job
from ai_semble_client.errors import Conflicting, JobCancelled, NotThere, RequestRefused
from tests.support.worlds import World

PICTURES = Path(__file__).parents[2] / "docs" / "images"
# Of what hangs; on a processor that is emulated, work takes minutes.
DEADLINE_S = 600
ROWS = 200_000


def patient(world: World) -> Settings:
    return Settings(world.url, timeout_s=DEADLINE_S)


@pytest.fixture(scope="module")
def client(world: World) -> Iterator[Client]:
    with Client(settings=patient(world)) as made:
        yield made


def test_a_question_is_answered(client: Client) -> None:
    answer = client.complete("Say hello.", max_tokens=8, temperature=0, seed=1)
    assert answer.text
    assert answer.usage.completion_tokens <= 8
    assert answer.finish_reason in ("stop", "length")


def test_a_stream_is_the_same_answer_in_pieces(client: Client) -> None:
    question = calls.complete("Say hello.", max_tokens=8, temperature=0, seed=1)
    with client.stream(question) as stream:
        pieces = list(stream)
    assert len(pieces) > 1
    assert "".join(pieces) == stream.text == client.run(question).text
    assert stream.end is not None
    assert stream.end.usage.completion_tokens <= 8


def test_an_answer_fits_its_schema(client: Client) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    answer = client.complete("Invent a person.", schema=schema, max_tokens=30, temperature=0)
    assert '"age"' in answer.text


def test_a_picture_is_seen_read_and_drawn(client: Client) -> None:
    seen = client.see(PICTURES / "astronaut.jpg", "detect")
    assert seen.objects is not None
    assert {found.label for found in seen.objects} == {"person"}
    assert seen.objects[0].box.width > 100
    assert "領収書" in client.read(PICTURES / "receipt-ja.png").content
    drawn = client.draw((PICTURES / "astronaut.jpg").read_bytes(), "detect", format="jpeg")
    assert drawn.startswith(b"\xff\xd8")


def test_texts_are_answered_in_order(client: Client) -> None:
    answer = client.sentiment(["This is a great product!", "It broke after a day."])
    assert [result.label for result in answer.results] == ["positive", "negative"]
    assert client.language("これは日本語です。").result.language == "ja"
    assert client.similarity("a cat", "ねこ").result.score > 0.5
    assert len(client.matrix(["a", "b", "c"]).result.matrix) == 3
    assert client.pii("Write to a@example.com", mask="numbered").result.text == "Write to [EMAIL_1]"
    assert client.classify("Where is my invoice?", ["billing", "sports"]).result.label == "billing"
    assert client.nlp("tokenize", "It works.").result["tokens"]


def test_a_dataset_goes_there_and_back(client: Client, tmp_path: Path) -> None:
    table = tmp_path / "numbers.csv"
    table.write_text("n,word\n" + "".join(f"{n},word {n}\n" for n in range(ROWS)), encoding="utf-8")
    passed: list[tuple[int, int]] = []
    kept = client.upload("client-numbers", table, replace=True, progress=lambda *now: passed.append(now))
    assert kept.rows == ROWS
    assert passed[-1] == (table.stat().st_size, table.stat().st_size)
    assert len(passed) > 1
    with pytest.raises(Conflicting):
        client.upload("client-numbers", table)
    total = client.sql('SELECT sum(n) AS total FROM "client-numbers"')
    assert [int(row["total"]) for row in total.records] == [ROWS * (ROWS - 1) // 2]
    back = tmp_path / "back.csv"
    client.download("client-numbers", back)
    assert back.read_bytes() == table.read_bytes()
    assert "client-numbers" in {dataset.name for dataset in client.datasets()}
    client.delete_dataset("client-numbers")
    with pytest.raises(NotThere):
        client.dataset("client-numbers")


def test_any_call_is_a_job_with_the_same_answer(client: Client) -> None:
    states: list[str] = []

    def note(job: Job) -> None:
        states.append(job.state)

    job = client.submit(calls.read(PICTURES / "receipt-ja.png"))
    assert "領収書" in job.wait(timeout_s=DEADLINE_S, progress=note).content
    assert states[-1] == "succeeded"
    assert [event.state for event in job.events()][-1] == "succeeded"
    profile = client.submit(calls.profile([{"id": 1, "value": 100}])).wait(timeout_s=DEADLINE_S)
    assert profile.profile is not None
    assert profile.profile["rows"] == 1
    drawn = client.submit(calls.draw(PICTURES / "astronaut.jpg", "faces"))
    assert drawn.wait(timeout_s=DEADLINE_S).startswith(b"\x89PNG")


def test_a_job_that_fails_raises_what_the_call_would_raise(client: Client) -> None:
    job = client.submit(calls.nlp("wrong", "x"))
    with pytest.raises(RequestRefused) as caught:
        job.wait(timeout_s=DEADLINE_S)
    assert (caught.value.code, caught.value.source) == ("invalid_request", "nlp")


def test_a_cancelled_job_is_no_result(client: Client) -> None:
    job = client.submit(calls.complete("Count to a million.", max_tokens=2000))
    job.cancel()
    with pytest.raises(JobCancelled):
        job.wait(timeout_s=DEADLINE_S)
    client.forget(job.id)
    with pytest.raises(NotThere):
        job.state()


def test_pages_of_jobs_are_one_list(client: Client) -> None:
    made = [client.submit(calls.language("List me.")) for _ in range(3)]
    for job in made:
        job.wait(timeout_s=DEADLINE_S)
    listed = [job.id for job in client.jobs(service="nlp", limit=3)]
    assert listed == [job.id for job in reversed(made)]


async def test_the_asynchronous_client_does_the_same(world: World, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a\n1\n", encoding="utf-8")
    async with AsyncClient(settings=patient(world)) as client:
        async with await client.stream(calls.complete("Say hello.", max_tokens=4)) as stream:
            assert "".join([piece async for piece in stream]) == stream.text
        assert (await client.upload("client-async", table, replace=True)).rows == 1
        await client.download("client-async", tmp_path / "back.jsonl", format="jsonl")
        await client.delete_dataset("client-async")
        job = await client.submit(calls.entities("山田太郎は東京で働いています。"))
        answer = await job.wait(timeout_s=DEADLINE_S)
        assert [job.id async for job in client.jobs(limit=1)] == [job.id]
    assert (tmp_path / "back.jsonl").read_text() == '{"a":1}\n'
    assert {entity.text for entity in answer.result.entities} >= {"山田太郎", "東京"}
