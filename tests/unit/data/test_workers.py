"""A process per operation: what it may use, what becomes of it, and that the service goes on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
import pytest

from ai_semble.errors import DeadlineExceeded, InternalError, all_errors
from data_processor.app import create_app
from data_processor.errors import MemoryLimitExceeded, OperationCrashed, SpillLimitExceeded, UnknownDataset
from data_processor.workers import messages
from data_processor.workers.failures import describe, restore
from data_processor.workers.jobs import MIB, Answer, Job, Limits
from data_processor.workers.pool import Ticket, Workers
from tests.support.attacks import attack
from tests.support.serving import serving
from tests.unit.data.bench import make_runtime, within

LIMITS = Limits(memory=400 * MIB, spill=64 * MIB, threads=2, timeout_s=20, max_rows=1000, max_answer=2 * MIB)
ENDLESS = "SELECT count(*) FROM range(100000000000) a, range(1000000) b"


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    made = Workers()
    made.start()
    yield made
    made.close()


def run(
    workers: Workers,
    folder: Path,
    request: dict[str, Any],
    limits: Limits = LIMITS,
    ticket: Ticket | None = None,
) -> Answer:
    def lend(question: Any) -> Any:
        raise UnknownDataset(f"no dataset {question['dataset']}")

    job = Job("process", str(folder), limits, {}, orjson.dumps(request))
    return workers.run(job, lend, ticket or Ticket())


def sql(query: str) -> dict[str, Any]:
    return {"operation": "sql", "query": query}


def the_workers() -> list[psutil.Process]:
    """Grandchildren of this process that have a job: one that only waits for one has a single thread."""
    found = []
    for worker in (worker for nursery in children_of(os.getpid()) for worker in children_of(nursery)):
        with suppress(psutil.NoSuchProcess):  # it has ended since
            found.append(psutil.Process(worker))
    return [worker for worker in found if threads_of(worker) > 1]


def threads_of(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return process.num_threads()
    return 0


def children_of(process: int) -> list[int]:
    """From /proc, since psutil keeps a table that threads spoil for each other."""
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, task.read_text().split())
    return found


def test_a_request_is_answered_by_a_process_that_is_gone_afterwards(workers: Workers, folder: Path) -> None:
    answer = run(workers, folder, sql("SELECT 1 AS x"))
    assert orjson.loads(answer.body)["result"]["records"] == [{"x": 1}]
    assert within(5, lambda: the_workers() == [])


def test_a_worker_that_waits_for_a_job_and_dies_is_not_missed(workers: Workers, folder: Path) -> None:
    run(workers, folder, sql("SELECT 1 AS x"))
    spare = workers._spare
    assert spare is not None
    spare.kill()
    assert spare.ended.happened.wait(5)
    assert orjson.loads(run(workers, folder, sql("SELECT 1 AS x")).body)["rows"]["total"] == 1


def test_what_takes_too_long_is_stopped(workers: Workers, folder: Path) -> None:
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        run(workers, folder, sql(ENDLESS), Limits(**{**vars(LIMITS), "timeout_s": 0.5}))
    assert time.monotonic() - started < 5
    assert the_workers() == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT list(i) AS l FROM range(1000000000) t(i)",
        "SELECT repeat('x', 3000000000) AS t",
        "SELECT len(string_agg(repeat('x', 1000), '')) FROM range(10000000)",
    ],
)
def test_what_needs_too_much_memory_is_an_answer_not_a_crash(
    workers: Workers, folder: Path, query: str
) -> None:
    with pytest.raises((MemoryLimitExceeded, SpillLimitExceeded)):
        run(workers, folder, sql(query))
    assert orjson.loads(run(workers, folder, sql("SELECT 1 AS x")).body)["rows"]["total"] == 1


def test_a_body_that_needs_too_much_memory_is_told_as_such(workers: Workers, folder: Path) -> None:
    """The parser itself then ends by SIGSEGV."""
    body = b'{"operation": "analyze", "data": {"records": [' + b'{"a":[]},' * 8_000_000 + b"{}]}}"
    limits = Limits(**{**vars(LIMITS), "memory": 64 * MIB})
    with pytest.raises(MemoryLimitExceeded):
        workers.run(Job("process", str(folder), limits, {}, body), dict, Ticket())


@attack(
    threat="A query fills the disk with what does not fit into memory",
    control="`data.spill_limit`, kept by DuckDB in the folder of the job",
    file="containers/data-processor/src/data_processor/engine/connection.py",
)
def test_what_spills_more_than_allowed_is_stopped(workers: Workers, folder: Path) -> None:
    query = "SELECT i FROM range(30000000) t(i) ORDER BY hash(i) DESC, i OFFSET 29999990"
    with pytest.raises(SpillLimitExceeded):
        run(workers, folder, sql(query))


def test_what_does_not_fit_in_memory_is_kept_on_disk_meanwhile(workers: Workers, folder: Path) -> None:
    limits = Limits(**{**vars(LIMITS), "memory": 256 * MIB, "spill": 2048 * MIB})
    query = "SELECT count(*) AS n FROM (SELECT hash(i) h, count(*) FROM range(6000000) t(i) GROUP BY 1)"
    answer = run(workers, folder, sql(query), limits)
    assert orjson.loads(answer.body)["result"]["records"] == [{"n": 6_000_000}]
    assert answer.facts["spilled"] > 0


def test_an_answer_longer_than_allowed_is_refused(workers: Workers, folder: Path) -> None:
    with pytest.raises(Exception, match="longer than") as caught:
        run(workers, folder, sql("SELECT repeat('x', 10000) AS t FROM range(1000)"))
    assert caught.value.code == "result_too_large"  # type: ignore[attr-defined]


@attack(
    threat="A file that makes its reader crash takes the service with it",
    control="Each operation is a process of its own",
    file="containers/data-processor/src/data_processor/workers/pool.py",
)
@pytest.mark.parametrize("by", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_worker_that_crashes_takes_nothing_with_it(
    workers: Workers, folder: Path, by: signal.Signals
) -> None:
    with pytest.raises(OperationCrashed, match=by.name):
        run_and(workers, folder, lambda worker: worker.send_signal(by))
    assert orjson.loads(run(workers, folder, sql("SELECT 1 AS x")).body)["rows"]["total"] == 1


@attack(
    threat="An operation takes all memory, so that the kernel kills a service",
    control="Each operation is a process of its own, which the kernel takes first",
    file="containers/data-processor/src/data_processor/workers/sandbox.py",
)
def test_a_worker_that_the_kernel_kills_was_out_of_memory(workers: Workers, folder: Path) -> None:
    with pytest.raises(MemoryLimitExceeded):
        run_and(workers, folder, lambda worker: worker.kill())


def test_a_nursery_that_dies_is_started_again(workers: Workers, folder: Path) -> None:
    with pytest.raises(OperationCrashed):
        run_and(workers, folder, lambda worker: worker.parent().kill())
    assert within(5, lambda: the_workers() == [])
    assert orjson.loads(run(workers, folder, sql("SELECT 1 AS x")).body)["rows"]["total"] == 1


def run_and(workers: Workers, folder: Path, harm: Callable[[Any], None]) -> None:
    """Run something endless, and do something to its process."""
    assert within(5, lambda: the_workers() == [])  # one that has just answered may still be ending

    def wait_and_harm() -> None:
        assert within(10, lambda: bool(the_workers()))
        harm(the_workers()[0])

    thread = threading.Thread(target=wait_and_harm)
    thread.start()
    try:
        run(workers, folder, sql(ENDLESS))
    finally:
        thread.join()


def test_a_cancelled_job_ends_at_once_also_before_it_has_begun(workers: Workers, folder: Path) -> None:
    ticket = Ticket()
    thread = threading.Timer(0.3, ticket.cancel)
    thread.start()
    started = time.monotonic()
    for _ in range(2):  # what is raised goes to nobody
        with pytest.raises(MemoryLimitExceeded):
            run(workers, folder, sql(ENDLESS), ticket=ticket)
    assert time.monotonic() - started < 5
    thread.join()


def test_workers_end_with_the_service(folder: Path) -> None:
    made = Workers()
    made.start()
    thread = threading.Thread(target=run_to_its_end, args=(made, folder))
    thread.start()
    assert within(10, lambda: bool(the_workers()))
    [worker] = the_workers()
    made.close()
    assert within(5, lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    thread.join(10)


def run_to_its_end(workers: Workers, folder: Path) -> None:
    with suppress(OperationCrashed, MemoryLimitExceeded):
        run(workers, folder, sql(ENDLESS))


def test_a_question_that_cannot_be_answered_becomes_the_answer(workers: Workers, folder: Path) -> None:
    with pytest.raises(UnknownDataset, match="no dataset sales"):
        run(workers, folder, sql("SELECT * FROM sales"))


SPY = """
import json, os, socket, sys
from pathlib import Path
from data_processor.workers import sandbox
from data_processor.workers.jobs import Limits
folder = Path(sys.argv[1])
sandbox.enter(folder, Limits(400 * 2**20, 2**30, 1, 5, 10, 10))
found = {}
def attempt(name, work):
    try:
        work()
        found[name] = "done"
    except OSError as error:
        found[name] = type(error).__name__
attempt("write inside", lambda: (folder / "x").write_text("x"))
attempt("read inside", lambda: (folder / "x").read_text())
attempt("read beside", lambda: (folder.parent / "beside").read_text())
attempt("read etc", lambda: Path("/etc/passwd").read_text())
attempt("read environment", lambda: Path("/proc/self/environ").read_text())
attempt("write tmp", lambda: Path("/tmp/ai-semble-spy").write_text("x"))
attempt("list root", lambda: os.listdir("/"))
attempt("connect", lambda: socket.create_connection(("127.0.0.1", int(sys.argv[2])), 1))
attempt("listen", lambda: socket.create_server(("127.0.0.1", 0)))
attempt("signal", lambda: os.kill(os.getppid(), 0))
print(json.dumps(found))
"""


def test_a_worker_reaches_the_folder_of_its_job_and_nothing_else(folder: Path) -> None:
    (folder / "job").mkdir()
    (folder / "beside").write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        command = [sys.executable, "-c", SPY, str(folder / "job"), port]
        found = orjson.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    if found["read etc"] == "done":
        pytest.skip("this kernel has no Landlock")
    assert found.pop("write inside") == found.pop("read inside") == "done"
    network = {found.pop("connect"), found.pop("listen"), found.pop("signal")}
    assert set(found.values()) == {"PermissionError"}, found
    assert network <= {"PermissionError", "done"}  # since Linux 6.7 and 6.12


def test_a_nursery_has_none_of_the_services_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_SEMBLE_TOKEN_FILE", "/somewhere")
    monkeypatch.setenv("SECRET_OF_SOMEONE", "x")
    made = Workers()
    made.start()
    try:
        newest = max(map(psutil.Process, children_of(os.getpid())), key=lambda process: process.create_time())
        assert set(newest.environ()) <= {
            "PATH",
            "LANG",
            "LC_ALL",
            "TZ",
            "PYTHONPATH",
            "LD_LIBRARY_PATH",
            "LC_CTYPE",
        }
        assert newest.num_threads() == 1
    finally:
        made.close()


def test_the_service_itself_never_loads_the_engine() -> None:
    script = (
        "import sys, data_processor.app; print({'duckdb', 'ibis', 'pyarrow', 'numpy'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "set()"


def test_every_error_of_ours_crosses_between_processes_unchanged() -> None:
    for cls in all_errors():
        if cls is InternalError or cls.__module__.startswith("data_processor"):
            error = restore(describe(cls("what happened", hint="do this", extra={"columns": ["a"]})))
            assert (type(error), error.detail, error.user_hint, error.extra) == (
                cls,
                "what happened",
                "do this",
                {"columns": ["a"]},
            )


def test_a_message_of_any_length_arrives_whole() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        body = os.urandom(3_000_000)
        thread = threading.Thread(target=messages.send, args=(ours, {"a": 1}, body))
        thread.start()
        assert messages.receive(theirs) == ({"a": 1}, body)
        thread.join()
        ours.close()
        with pytest.raises(messages.Disconnected):
            messages.receive(theirs)


def test_a_client_that_goes_away_ends_its_operation(tmp_path: Path) -> None:
    with serving(create_app(make_runtime(tmp_path, concurrency=1))) as url:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/data/process", json=sql(ENDLESS), timeout=1)
        assert within(5, lambda: the_workers() == [])
        assert httpx.post(f"{url}/data/process", json=sql("SELECT 1 AS x"), timeout=10).status_code == 200
        assert list((tmp_path / "data" / ".work").iterdir()) == []


def test_more_than_may_wait_are_told_to_come_again(tmp_path: Path) -> None:
    with serving(create_app(make_runtime(tmp_path, concurrency=1, max_waiting=0, timeout_s=1.5))) as url:
        thread = threading.Thread(
            target=lambda: httpx.post(f"{url}/data/process", json=sql(ENDLESS), timeout=30)
        )
        thread.start()
        assert within(10, lambda: bool(the_workers()))
        refused = httpx.post(f"{url}/data/process", json=sql("SELECT 1"), timeout=30)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        thread.join()
