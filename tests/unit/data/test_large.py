"""A file several times as large as the memory. Slow; its size is AI_SEMBLE_TEST_CSV_MB (200; 2048 is the promise)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import httpx
import psutil
import pytest

from tests.support.serving import free_port

pytestmark = pytest.mark.slow

MIB = 1024**2
MEMORY = 512 * MIB
BYTES_A_ROW = 64


@dataclass
class Watch:
    """The most memory that the service and any one of its workers had. Of a worker, what it does not share."""

    service: psutil.Process
    most_service: int = 0
    most_worker: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        while not self.ended.wait(0.1):
            with suppress(psutil.Error):
                self.most_service = max(self.most_service, self.service.memory_info().rss)
                for nursery in self.service.children():
                    for worker in nursery.children():
                        self.most_worker = max(self.most_worker, worker.memory_info().rss)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A CSV file, and its rows."""
    path = tmp_path_factory.mktemp("large") / "large.csv"
    rows = int(os.environ.get("AI_SEMBLE_TEST_CSV_MB", "200")) * MIB // BYTES_A_ROW
    made = f"""SELECT i AS id, (hash(i) % 100000)::int AS customer, (hash(i * 7) % 1000000) / 100.0 AS amount,
        ['JP', 'NO', 'SE'][1 + (hash(i * 3) % 3)::int] AS country, 'note ' || hash(i * 11) % 1000000 AS note,
        TIMESTAMP '2020-01-01' + to_seconds((hash(i * 13) % 100000000)::bigint) AS moment FROM range({rows}) t(i)"""
    with duckdb.connect(config={"memory_limit": "1GB"}) as connection:
        connection.execute(f"COPY ({made}) TO '{path}' (HEADER)")
    return path, rows


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Watch]]:
    """The service as it really runs, with little memory."""
    root, port = tmp_path_factory.mktemp("service"), free_port()
    environment = {
        **os.environ,
        **{f"XDG_{name}_HOME": str(root / name) for name in ("DATA", "STATE", "CONFIG")},
        "AI_SEMBLE_DATA__PORT": str(port),
        "AI_SEMBLE_DATA__MEMORY_LIMIT": str(MEMORY),
        "AI_SEMBLE_DATA__TIMEOUT_S": "900",
    }
    command = [str(Path(sys.executable).with_name("ai-semble")), "serve", "data-processor"]
    with (root / "log").open("wb") as log, subprocess.Popen(command, env=environment, stdout=log) as process:
        try:
            token = wait_for(root / "STATE", "service.token").read_text().strip()
            headers = {"authorization": f"Bearer {token}"}
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=900, headers=headers) as client:
                wait_until_ready(client)
                with watching(process.pid) as watch:
                    yield client, watch
        finally:
            process.terminate()


@contextmanager
def watching(pid: int) -> Iterator[Watch]:
    watch = Watch(psutil.Process(pid))
    thread = threading.Thread(target=watch.look)
    thread.start()
    try:
        yield watch
    finally:
        watch.ended.set()
        thread.join()


def wait_for(folder: Path, name: str) -> Path:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := list(folder.rglob(name)):
            return found[0]
        time.sleep(0.1)
    raise RuntimeError(f"there is no {name}")


def wait_until_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if client.get("/health/ready").status_code == 200:
                return
        time.sleep(0.1)
    raise RuntimeError("the service did not get ready")


def test_a_file_larger_than_the_memory_is_processed(
    service: tuple[httpx.Client, Watch], large: tuple[Path, int]
) -> None:
    client, watch = service
    path, rows = large
    at_start = watch.most_service
    timings = {}

    def timed(name: str, response: httpx.Response) -> httpx.Response:
        timings[name] = round(response.elapsed.total_seconds(), 1)
        assert response.status_code in (200, 201), response.text
        return response

    with path.open("rb") as file:
        described = timed("upload", client.put("/data/datasets/large", content=file)).json()
    assert described["rows"] == rows

    def process(name: str, **request: Any) -> dict[str, Any]:
        body = {"data": {"dataset": "large"}, **request}
        found: dict[str, Any] = timed(name, client.post("/data/process", json=body)).json()
        return found

    figures = {"n": {"function": "count"}, "total": "sum(amount)"}
    found = process("aggregate", operation="aggregate", group_by=["country"], aggregates=figures)
    assert sum(row["n"] for row in found["result"]["records"]) == rows
    found = process(
        "aggregate 1 a row", operation="aggregate", group_by=["id", "note"], aggregates=figures, limit=10
    )
    assert found["rows"]["total"] == rows
    by = [{"column": "note"}, "id"]
    found = process("sort to parquet", operation="sort", by=by, output={"dataset": "sorted"})
    assert found["rows"]["total"] == rows
    found = process("deduplicate", operation="deduplicate", columns=["customer"], limit=5)
    assert found["rows"]["total"] == min(rows, 100_000)
    found = process("analyze", operation="analyze")
    assert found["result"]["profile"]["rows"] == rows
    with client.stream("GET", "/data/datasets/sorted/content", params={"format": "csv"}) as response:
        assert sum(len(chunk) for chunk in response.iter_bytes()) == path.stat().st_size
    timings["download csv"] = round(response.elapsed.total_seconds(), 1)
    print({"MB": path.stat().st_size // MIB, "worker MB": watch.most_worker // MIB, **timings})
    print({"service MB": watch.most_service // MIB, "at start": at_start // MIB})
    assert watch.most_worker < MEMORY
    assert watch.most_service < 150 * MIB
