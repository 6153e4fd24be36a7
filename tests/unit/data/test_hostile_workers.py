"""A worker that was taken over lies to the service, and leaves traps in its folder."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from ai_semble.metrics import Metrics
from ai_semble.room import Room
from ai_semble.workpool import WorkPool
from data_processor.datasets.formats import Kind
from data_processor.datasets.store import DatasetStore
from data_processor.errors import OperationCrashed, ResultTooLarge
from data_processor.processor import Processor
from data_processor.workers import messages
from data_processor.workers.jobs import Answer, Job
from data_processor.workers.pool import Respond, Ticket, Workers, _converse
from tests.support.attacks import attack
from tests.unit.data.bench import LIMITS

READING = {"format": "csv", "compression": "none", "columns": [], "rows": 0, "options": {}, "prepared": False}
FACTS = {"operation": "sql", "rows_read": 0, "rows_returned": 0, "spilled": 0, "inspected": {}}
CSV = Kind("csv")

Lie = Callable[[Job, Respond], Answer]
Trap = Callable[[Path, Path], None]


class Liar(Workers):
    """Answers as it is told, without any process."""

    def __init__(self, lie: Lie) -> None:
        super().__init__()
        self._lie = lie

    def run(self, job: Job, respond: Respond, ticket: Ticket) -> Answer:
        ticket.end()
        return self._lie(job, respond)


@pytest.fixture
def store(folder: Path) -> DatasetStore:
    made = DatasetStore(Room(folder / "data", 0))
    made.open()
    (folder / "secret").write_text("secret")
    return made


@pytest.fixture
def processor_of(store: DatasetStore) -> Iterator[Callable[[Lie], Processor]]:
    metrics = Metrics("data-processor")
    pool = WorkPool("data", threads=1, waiting=1, metrics=metrics)
    yield lambda lie: Processor(store, Liar(lie), pool, LIMITS, metrics)
    pool.close()


def add(store: DatasetStore, name: str) -> str:
    """A dataset that nobody has read yet; answers its version."""
    with store.job_folder() as folder:
        (folder / "upload").write_bytes(b"a\n1\n")
        return store.commit(folder / "upload", name, CSV, replace=False).version


def symbolic_link(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def pipe(path: Path, secret: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path, secret: Path) -> None:
    path.mkdir()


def nothing(path: Path, secret: Path) -> None:
    pass


traps = pytest.mark.parametrize("trap", [symbolic_link, pipe, a_folder, nothing])


@traps
@attack(
    threat="A worker that was taken over leaves a symlink instead of a dataset",
    control="Only plain files become datasets",
    file="containers/data-processor/src/data_processor/datasets/regular.py",
)
def test_an_output_that_is_no_file_becomes_no_dataset(store: DatasetStore, folder: Path, trap: Trap) -> None:
    with store.job_folder() as job:
        trap(job / "output", folder / "secret")
        with pytest.raises(OperationCrashed):
            store.commit(job / "output", "sales", CSV, replace=False)
    assert store.all() == []


@traps
@attack(
    threat="A worker that was taken over leaves a symlink instead of a download",
    control="Only plain files are sent",
    file="containers/data-processor/src/data_processor/datasets/regular.py",
)
def test_a_download_that_is_no_file_is_not_sent(
    processor_of: Callable[[Lie], Processor], folder: Path, trap: Trap
) -> None:
    trap(folder / "output", folder / "secret")
    processor = processor_of(lambda *_: Answer(FACTS))
    with pytest.raises(OperationCrashed):
        asyncio.run(processor.convert("sales", CSV, folder))


@traps
def test_a_prepared_copy_that_is_no_file_is_not_kept(store: DatasetStore, folder: Path, trap: Trap) -> None:
    version = add(store, "sales")
    with store.job_folder() as job:
        trap(job / "copy.parquet", folder / "secret")
        with pytest.raises(OperationCrashed):
            store.keep_reading("sales", version, {"prepared": "copy.parquet", "reading": READING}, job)
    assert store.known_reading(store.find("sales")) is None


@pytest.mark.parametrize("name", ["../sales.csv", "../../secret", "..", "/etc/passwd", "a/b", "x\0", 7])
def test_a_prepared_copy_elsewhere_is_not_taken(store: DatasetStore, folder: Path, name: Any) -> None:
    with store.job_folder() as job, pytest.raises(OperationCrashed):
        store.keep_reading("sales", "1", {"prepared": name, "reading": READING}, job)
    assert (folder / "secret").exists()


@attack(
    threat="A symlink in a job's folder leads the service to a file outside",
    control="Links are not followed",
    file="containers/data-processor/src/data_processor/datasets/regular.py",
)
def test_a_link_in_the_job_folder_does_not_lead_the_service_out(store: DatasetStore, folder: Path) -> None:
    version = add(store, "sales")
    with store.job_folder() as job:
        for name in ("reading.json", "draft"):
            (job / name).symlink_to(folder / "secret")
        store.keep_reading("sales", version, {"prepared": None, "reading": READING}, job)
    assert (folder / "secret").read_text() == "secret"
    assert store.known_reading(store.find("sales")) == READING


@pytest.mark.parametrize("name", ["../../secret", "other", "sales"])
def test_only_what_the_job_asked_for_is_described(
    store: DatasetStore, processor_of: Callable[[Lie], Processor], folder: Path, name: str
) -> None:
    version = add(store, "other")
    add(store, "sales")
    found = {"version": version, "prepared": None, "reading": READING}

    def lie(job: Job, respond: Respond) -> Answer:
        respond({"dataset": "sales"})
        return Answer({**FACTS, "inspected": {name: found}})  # for `sales`, it is another's version

    with pytest.raises(OperationCrashed), store.job_folder() as job:
        asyncio.run(processor_of(lie).process(b"{}", job))
    assert all(store.known_reading(file) is None for file in store.all())
    assert not (folder / "secret.json").exists()


@pytest.mark.parametrize(
    "body",
    [
        b"not JSON",
        b"[]",
        orjson.dumps({"operation": "sql"}),
        orjson.dumps({"output": {"dataset": "other", "format": "csv", "replace": True}}),
        orjson.dumps({"output": {"dataset": "sales", "format": "csv"}}),
    ],
)
def test_only_the_output_that_was_asked_for_is_kept(
    store: DatasetStore, processor_of: Callable[[Lie], Processor], body: bytes
) -> None:
    version = add(store, "sales")
    output = {"dataset": "sales", "format": "csv", "compression": "none", "replace": True}

    def lie(job: Job, respond: Respond) -> Answer:
        (Path(job.folder) / "output").write_bytes(b"a\n666\n")
        return Answer({**FACTS, "output": output}, b'{"result": {}}')

    with pytest.raises(OperationCrashed), store.job_folder() as job:
        asyncio.run(processor_of(lie).process(body, job))
    assert store.find("sales").version == version


@attack(
    threat="A worker that was taken over announces a message of terabytes",
    control="Lengths are checked before anything is read",
    file="containers/data-processor/src/data_processor/workers/messages.py",
)
@pytest.mark.parametrize(("header", "body"), [(2**32 - 1, 0), (2, 2**60)])
def test_a_message_longer_than_allowed_takes_no_memory(folder: Path, header: int, body: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(struct.pack("!IQ", header, body) + b"{}")
        with pytest.raises(ResultTooLarge):
            _converse(ours, Job("inspect", str(folder), LIMITS), lambda _: {})


def test_a_message_just_as_long_as_allowed_arrives() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for _ in range(2):
            messages.send(ours, {"a": 1}, b"123456")
        assert messages.receive(theirs, 13) == ({"a": 1}, b"123456")
        with pytest.raises(messages.TooLong):
            messages.receive(theirs, 12)
