"""DBOS as the engine of the jobs: which dispatch runs when, and again after a crash.

It is loaded at the first job, since it costs 40 MB and half a second, and rests when there are none, since
its polling costs some percent of a core. It works in threads of its own and never touches the event loop:
each dispatch is a DBOS workflow in a thread that waits for our coroutine.

Measured: a workflow that is started directly runs after 3 ms, one from the queue after 30 ms at 50 ms of
polling. So what can run at once is started directly, and only what has to wait goes through the queue.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ai_semble.logs import get_logger

if TYPE_CHECKING:
    from dbos import Queue
    from sqlalchemy import Engine as SqlEngine

P = ParamSpec("P")
T = TypeVar("T")
Run = Callable[[str, int, str], Coroutine[Any, Any, None]]

log = get_logger(__name__)
EXECUTOR_ID = "orchestrator"
# Fixed, so that jobs survive an update. What a dispatch does is decided by the job's row, not by DBOS.
APPLICATION_VERSION = "jobs-1"
QUEUE = "jobs"
WORKFLOW = "dispatch"
POLL_S = 0.1
# After so long without a job it is put away again.
REST_AFTER_S = 60.0
# Dispatches taken from the queue before there is a free worker, so that none waits for the next poll.
AHEAD = 28
# The four services, and the hosts of http steps.
_SERVICES = 5
_ALIVE = ["ENQUEUED", "DELAYED", "PENDING"]
_OVER = ["SUCCESS", "ERROR", "CANCELLED"]
_BATCH = 500


class EngineStopped(BaseException):
    """Leaves a DBOS workflow as it is, to be run again at the next start.

    Not an Exception, since DBOS would record that as the workflow's end.
    """


def dispatch_name(job_id: str, dispatch: int) -> str:
    """The DBOS workflow id of a dispatch."""
    return f"{job_id}.{dispatch}"


class Engine:
    """`run(job_id, dispatch, service)` is called on the event loop for each dispatch whose turn has come."""

    def __init__(self, database: Path, workers: int, run: Run) -> None:
        self._database = database
        self._ahead = workers + AHEAD
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jobs-engine")
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_used = self._loop.time()
        self._stopping = False
        self._sql: SqlEngine | None = None
        self._queue: Queue | None = None
        self._workflow: Callable[[str, int, str], None] | None = None

    @property
    def loaded(self) -> bool:
        return self._queue is not None

    @property
    def idle_s(self) -> float:
        """Seconds since it was last given a dispatch, or had one in hand."""
        return 0.0 if self._tasks else self._loop.time() - self._last_used

    async def start_now(self, job_id: str, dispatch: int, service: str) -> None:
        """Run a dispatch at once, past the queue."""
        self._last_used = self._loop.time()
        await self._call(self._start_now, job_id, dispatch, service)

    async def enqueue(self, job_id: str, dispatch: int, service: str, delay_s: float = 0) -> None:
        """Run a dispatch when its turn has come, not before the delay is over. Repeating it does nothing."""
        self._last_used = self._loop.time()
        await self._call(self._enqueue, job_id, dispatch, service, delay_s)

    async def states(self, names: Sequence[str]) -> dict[str, bool]:
        """Which of these dispatches the engine knows, and whether each is still to run or running."""
        return await self._call(self._states, names)

    async def purge(self, older_than_s: float) -> None:
        """Delete what is kept of dispatches that ended longer ago than that."""
        await self._call(self._purge, older_than_s)

    async def rest(self) -> None:
        """Put DBOS away until it is asked for again."""
        await self._loop.run_in_executor(self._thread, self._destroy)

    async def stop(self) -> None:
        """Interrupt what runs, to be continued at the next start."""
        self._stopping = True
        running = tuple(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._loop.run_in_executor(self._thread, self._destroy)
        self._thread.shutdown()

    async def _call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def loaded_first() -> T:
            if not self.loaded:
                self._launch()
            return work(*args, **kwargs)

        return await self._loop.run_in_executor(self._thread, loaded_first)

    # What follows blocks, and runs in the engine's thread.

    def _launch(self) -> None:
        _send_logs_to_ours()
        from dbos import DBOS, DBOSPortableJSONSerializer  # noqa: PLC0415 - loaded when needed

        self._sql = _sqlite(self._database)
        DBOS(
            config={
                "name": "ai-semble-jobs",
                "system_database_url": f"sqlite:///{self._database}",
                "system_database_engine": self._sql,
                "application_version": APPLICATION_VERSION,
                "executor_id": EXECUTOR_ID,
                "serializer": DBOSPortableJSONSerializer(),
                "log_level": "WARNING",
                "enable_otlp": False,
                "max_executor_threads": self._ahead * _SERVICES + 8,
            }
        )
        try:
            self._workflow = DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)(self._function())
            DBOS.launch()
            self._queue = DBOS.register_queue(
                QUEUE,
                partition_worker_concurrency=self._ahead,
                polling_interval_sec=POLL_S,
                on_conflict="always_update",
            )
        except BaseException:
            self._destroy()
            raise
        log.info("jobs_engine_started", database=str(self._database))

    def _function(self) -> Callable[[str, int, str], None]:
        # A plain function: of a method DBOS would store the object, too.
        def dispatch(job_id: str, number: int, service: str) -> None:
            self._execute(job_id, number, service)

        return dispatch

    def _execute(self, job_id: str, number: int, service: str) -> None:
        if self._stopping:
            raise EngineStopped
        try:
            asyncio.run_coroutine_threadsafe(self._tracked(job_id, number, service), self._loop).result()
        except CancelledError as error:
            raise EngineStopped from error

    async def _tracked(self, job_id: str, number: int, service: str) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        if self._stopping:
            raise asyncio.CancelledError
        self._tasks.add(task)
        try:
            await self._run(job_id, number, service)
        finally:
            self._tasks.discard(task)
            self._last_used = self._loop.time()

    def _start_now(self, job_id: str, dispatch: int, service: str) -> None:
        from dbos import DBOS, SetWorkflowID  # noqa: PLC0415

        assert self._workflow is not None  # noqa: S101 - launched
        with SetWorkflowID(dispatch_name(job_id, dispatch)):
            DBOS.start_workflow(self._workflow, job_id, dispatch, service)

    def _enqueue(self, job_id: str, dispatch: int, service: str, delay_s: float) -> None:
        from dbos import SetEnqueueOptions, SetWorkflowID  # noqa: PLC0415

        assert self._queue is not None  # noqa: S101 - launched
        assert self._workflow is not None  # noqa: S101
        delay = delay_s if delay_s > 0 else None
        options = SetEnqueueOptions(queue_partition_key=service, delay_seconds=delay)
        with SetWorkflowID(dispatch_name(job_id, dispatch)), options:
            self._queue.enqueue(self._workflow, job_id, dispatch, service)

    def _states(self, names: Sequence[str]) -> dict[str, bool]:
        from dbos import DBOS  # noqa: PLC0415

        known: dict[str, bool] = {}
        for batch in _batches(names):
            found = DBOS.list_workflows(workflow_ids=batch, load_input=False, load_output=False)
            known |= {status.workflow_id: status.status in _ALIVE for status in found}
        return known

    def _purge(self, older_than_s: float) -> None:
        from dbos import DBOS  # noqa: PLC0415

        before = datetime.fromtimestamp(time.time() - older_than_s, UTC).isoformat()
        while found := DBOS.list_workflows(
            status=_OVER, completed_before=before, limit=_BATCH, load_input=False, load_output=False
        ):
            DBOS.delete_workflows([status.workflow_id for status in found])

    def _destroy(self) -> None:
        if self._sql is None:
            return
        from dbos import DBOS  # noqa: PLC0415

        DBOS.destroy(destroy_registry=True)
        self._sql.dispose()
        self._sql = self._queue = self._workflow = None


def _batches(names: Sequence[str]) -> Iterable[list[str]]:
    return (list(names[start : start + _BATCH]) for start in range(0, len(names), _BATCH))


def _send_logs_to_ours() -> None:
    """DBOS prints lines of its own to the console unless its logger has a handler already."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _sqlite(path: Path) -> SqlEngine:
    from sqlalchemy import create_engine, event  # noqa: PLC0415

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", pool_size=5, max_overflow=0, pool_timeout=30)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA busy_timeout = 30000")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        # It need not survive a power cut: the keeper dispatches anew what the engine has lost.
        connection.execute("PRAGMA synchronous = NORMAL")
        # In KiB. SQLite's own 2 MiB for each of the connections would be a tenth of the orchestrator.
        connection.execute("PRAGMA cache_size = -256")

    return engine
