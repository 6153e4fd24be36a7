"""What the service does with datasets and operations, without HTTP."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from ai_semble.config import Config
from ai_semble.cores import usable_cores
from ai_semble.metrics import Metrics
from ai_semble.workpool import WorkPool
from data_processor.datasets.formats import Kind, kind_named
from data_processor.datasets.regular import check_regular
from data_processor.datasets.store import DatasetStore, StoredFile
from data_processor.workers.claims import check_inspected, check_output
from data_processor.workers.jobs import Answer, Job, Limits
from data_processor.workers.pool import Ticket, Workers


@dataclass(frozen=True)
class Upload:
    """A file that came with a request, in the job's folder."""

    path: Path
    kind: Kind


class Processor:
    """Runs operations in workers, a bounded number at once, and keeps what they find and make."""

    def __init__(
        self, store: DatasetStore, workers: Workers, pool: WorkPool, limits: Limits, metrics: Metrics
    ) -> None:
        self.store = store
        self._workers = workers
        self._pool = pool
        self._limits = limits
        # Each operation may spill, and write a file beside.
        self._shares = 2 * pool.threads
        self._seconds = metrics.histogram(
            "ai_semble_data_operation_duration_seconds",
            "Time of an operation, its turn included.",
            ["operation"],
        )
        self._read = metrics.counter(
            "ai_semble_data_rows_read", "Rows of the tables that operations read.", ["operation"]
        )
        self._returned = metrics.counter("ai_semble_data_rows_returned", "Rows in answers.", ["operation"])
        self._spilled = metrics.counter(
            "ai_semble_data_spilled_bytes", "Disk used for what did not fit in memory."
        ).labels()
        self._failed = metrics.counter(
            "ai_semble_data_operations_failed", "Operations that ended in an error.", ["code"]
        )
        self._stored = metrics.counter("ai_semble_data_stored_bytes", "Bytes written as datasets.").labels()

    async def process(self, body: bytes, folder: Path, upload: Upload | None = None) -> bytes:
        """The body of the answer to a `POST /data/process` body."""
        started = time.perf_counter()
        given = None
        if upload is not None:
            given = {
                "file": upload.path.name,
                "format": upload.kind.format,
                "compression": upload.kind.compression,
            }
        answer = await self._run(Job("process", str(folder), self._limits, {"upload": given}, body))
        operation = answer.facts["operation"]
        self._seconds.labels(operation).observe(time.perf_counter() - started)
        self._read.labels(operation).inc(answer.facts["rows_read"])
        self._returned.labels(operation).inc(answer.facts["rows_returned"])
        self._spilled.inc(answer.facts["spilled"])
        if "output" in answer.facts:
            return await asyncio.to_thread(self._keep_output, answer, folder, body)
        return answer.body

    def _keep_output(self, answer: Answer, folder: Path, body: bytes) -> bytes:
        output = answer.facts["output"]
        check_output(output, body)
        kind = kind_named(output["format"], output["compression"])
        stored = self.store.commit(folder / "output", output["dataset"], kind, replace=output["replace"])
        self._stored.inc(stored.bytes)
        document = orjson.loads(answer.body)
        document["result"]["dataset"] = stored.summary()
        return orjson.dumps(document)

    async def add(self, upload: Upload, name: str, folder: Path, *, replace: bool) -> dict[str, Any]:
        """Make an uploaded file a dataset, if it can be read. Answers its description."""
        found = await self._inspect(upload.path, upload.kind, folder)
        stored = await asyncio.to_thread(self.store.commit, upload.path, name, upload.kind, replace=replace)
        self._stored.inc(stored.bytes)
        await asyncio.to_thread(self.store.keep_reading, name, stored.version, found, folder)
        return _description(stored, found["reading"])

    async def describe(self, name: str) -> dict[str, Any]:
        """A dataset with its columns; reads all of it if that has not been done yet."""
        stored = await asyncio.to_thread(self.store.find, name)
        reading = await asyncio.to_thread(self.store.known_reading, stored)
        if reading is None:
            with self.store.job_folder() as folder:
                link = folder / f"dataset.{stored.kind.ending}"
                os.link(stored.path, link)
                found = await self._inspect(link, stored.kind, folder)
                await asyncio.to_thread(self.store.keep_reading, name, stored.version, found, folder)
                reading = found["reading"]
        return _description(stored, reading)

    async def convert(self, name: str, kind: Kind, folder: Path) -> Path:
        """The file of a dataset in another format, in the job's folder."""
        parameters = {"dataset": name, "format": kind.format, "compression": kind.compression}
        await self._run(Job("convert", str(folder), self._limits, parameters))
        return await asyncio.to_thread(check_regular, folder / "output")

    async def _inspect(self, path: Path, kind: Kind, folder: Path) -> Mapping[str, Any]:
        parameters = {"file": path.name, "format": kind.format, "compression": kind.compression}
        return (await self._run(Job("inspect", str(folder), self._limits, parameters))).facts

    async def _run(self, job: Job) -> Answer:
        """Raises what the operation raises, Overloaded. A cancelled caller's worker is killed."""
        ticket = Ticket()
        try:
            answer = await self._pool.run(self._work, job, ticket, time.perf_counter())
        except Exception as error:
            self._failed.labels(getattr(error, "code", "internal_error")).inc()
            raise
        except asyncio.CancelledError:
            ticket.cancel()
            # The caller removes the folder next, in which the worker may still be writing.
            await asyncio.shield(asyncio.to_thread(ticket.wait))
            raise
        folder = Path(job.folder)
        for name, found in answer.facts["inspected"].items():
            await asyncio.to_thread(self.store.keep_reading, name, found["version"], found, folder)
        return answer

    def _work(self, job: Job, ticket: Ticket, asked: float) -> Answer:
        """In a thread of the pool."""
        queue_ms = (time.perf_counter() - asked) * 1000
        share = self.store.room.left() // self._shares
        limits = replace(job.limits, spill=min(job.limits.spill, share), longest_file=share)
        job = replace(job, limits=limits, parameters={**job.parameters, "queue_ms": round(queue_ms, 2)})
        folder = Path(job.folder)
        unread: dict[str, str] = {}

        def lend(question: Mapping[str, Any]) -> Mapping[str, Any]:
            lent = self.store.lend(question["dataset"], folder)
            if lent["reading"] is None:
                unread[question["dataset"]] = lent["version"]
            return lent

        answer = self._workers.run(job, lend, ticket)
        check_inspected(answer.facts["inspected"], unread)
        return answer


def _description(stored: StoredFile, reading: Mapping[str, Any]) -> dict[str, Any]:
    """As `ai_semble.schemas.data_answers.DatasetDescription`."""
    return {**stored.summary(), "rows": reading["rows"], "columns": list(reading["columns"])}


def limits_of(config: Config) -> Limits:
    """What the configuration grants one operation."""
    data = config.data
    return Limits(
        memory=data.memory_limit,
        spill=data.spill_limit,
        threads=config.resources.threads or usable_cores(),
        timeout_s=data.timeout_s,
        max_rows=data.max_rows,
        max_answer=data.max_answer_bytes,
    )
