"""Some of the disk stays free, whatever is uploaded or computed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from ai_semble.room import Room
from data_processor.app import create_app
from tests.support.attacks import attack
from tests.support.serving import serving
from tests.unit.data.bench import make_runtime

MIB = 1024**2
ROOM = 8 * MIB
FREE = "ai_semble_disk_room_bytes"
ROWS = b"a,b\n" + b"1,some text in a row\n" * (2 * ROOM // 21)
CSV = {"Content-Type": "text/csv"}
ROOM_FILE = "containers/base/src/ai_semble/room.py"
KEPT_FREE = "`resources.keep_free_disk`: what would leave less of the disk gets 507, at once or as it comes"


def pieces() -> Iterator[bytes]:
    """So that the client announces no length."""
    for start in range(0, len(ROWS), 64 * 1024):
        yield ROWS[start : start + 64 * 1024]


def used(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A service with a small disk."""
    monkeypatch.setattr(Room, "left", lambda room: max(0, ROOM - used(room.folder)))
    with serving(create_app(make_runtime(tmp_path))) as url, httpx.Client(base_url=url, timeout=60) as made:
        yield made


def refused(answer: httpx.Response) -> bool:
    problem = answer.json()
    assert "resources.keep_free_disk" in problem["hint"] or "Free some space" in problem["hint"], problem
    return (answer.status_code, problem["code"]) == (507, "insufficient_storage")


def names(client: httpx.Client) -> list[str]:
    return [found["name"] for found in client.get("/data/datasets").json()["datasets"]]


@attack(threat="Uploads fill the disk of the machine", control=KEPT_FREE, file=ROOM_FILE)
@pytest.mark.parametrize("announced", [True, False])
def test_an_upload_leaves_some_of_the_disk_free(
    client: httpx.Client, tmp_path: Path, announced: bool
) -> None:
    content = ROWS if announced else pieces()
    assert refused(client.put("/data/datasets/large", content=content, headers=CSV))
    assert used(tmp_path / "data") == 0
    assert client.put("/data/datasets/small", content=ROWS[: MIB // 21 * 21], headers=CSV).status_code == 201


def test_a_form_s_file_leaves_some_of_the_disk_free(client: httpx.Client, tmp_path: Path) -> None:
    answer = client.post(
        "/data/process", files={"file": ("x.csv", ROWS)}, data={"operation": "analyze", "format": "csv"}
    )
    assert refused(answer)
    assert used(tmp_path / "data") == 0


@attack(
    threat="A small request computes a dataset or intermediate results that fill the disk",
    control="A worker's files may become as long as there is room; what is kept is checked once more",
    file="containers/data-processor/src/data_processor/workers/sandbox.py",
)
@pytest.mark.parametrize("format_", ["csv", "json", "parquet", "xlsx", "arrow"])
def test_what_an_operation_writes_leaves_some_of_the_disk_free(
    client: httpx.Client, tmp_path: Path, format_: str
) -> None:
    body = {
        "operation": "sql",
        "query": "SELECT md5(i::VARCHAR) AS a, md5((i + 1)::VARCHAR) AS b FROM range(600000) t(i)",
        "output": {"dataset": "large", "format": format_},
    }
    assert refused(client.post("/data/process", json=body, timeout=60))
    assert used(tmp_path / "data") == 0
    assert names(client) == []


def test_several_operations_at_once_leave_some_of_the_disk_free(client: httpx.Client, tmp_path: Path) -> None:
    """Each would find room for its file alone; the disk is looked at while they run."""
    query = "SELECT md5(i::VARCHAR) AS a FROM range(170000) t(i)"
    bodies = [
        {"operation": "sql", "query": query, "output": {"dataset": f"large-{number}", "format": "csv"}}
        for number in range(4)
    ]
    most, done = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.is_set():
            with suppress(FileNotFoundError):
                most = max(most, used(tmp_path / "data"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(4) as callers:
        answers = list(callers.map(lambda body: client.post("/data/process", json=body), bodies))
    done.set()
    watcher.join()
    assert all(refused(answer) for answer in answers)
    assert most <= ROOM


def test_where_no_room_is_left_datasets_are_read_and_deleted(client: httpx.Client, tmp_path: Path) -> None:
    part = ROWS[: 3 * MIB // 21 * 21]
    for name in ("one", "two"):
        assert client.put(f"/data/datasets/{name}", content=part, headers=CSV).status_code == 201
    assert refused(client.put("/data/datasets/three", content=part, headers=CSV))
    (tmp_path / "data" / "filling").write_bytes(bytes(ROOM))
    assert f'{FREE}{{service="data-processor"}} 0.0' in client.get("/metrics").text
    body = {"operation": "sql", "query": "SELECT count(*) AS n FROM one"}
    assert client.post("/data/process", json=body).json()["result"]["records"] == [{"n": len(part) // 21}]
    (tmp_path / "data" / "filling").unlink()
    assert client.delete("/data/datasets/one").status_code == 204
    assert client.put("/data/datasets/three", content=part, headers=CSV).status_code == 201
