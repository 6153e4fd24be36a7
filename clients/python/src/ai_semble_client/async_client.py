"""The client for asyncio. It does what Client does, by the same calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Concatenate, Generic, ParamSpec, Self, TypeVar

import httpx2

from ai_semble_client import calls
from ai_semble_client.answers.data import Dataset
from ai_semble_client.answers.jobs import Job, JobEvent
from ai_semble_client.answers.llm import Completion
from ai_semble_client.answers.workflows import RunDetail, RunEvent
from ai_semble_client.calls.call import Call
from ai_semble_client.calls.jobs import as_job
from ai_semble_client.endings import check_outcome, overdue, run_overdue
from ai_semble_client.errors import AiSembleError, NotReached
from ai_semble_client.files import appearing, pieces_of
from ai_semble_client.replies import answer_of, not_reached, problem_of
from ai_semble_client.retrying import Backoff
from ai_semble_client.sending import (
    Progress,
    dress_as_method,
    next_wait_s,
    options_of_http,
    options_of_request,
)
from ai_semble_client.settings import Settings
from ai_semble_client.streams import AsyncTextStream, job_event, run_event

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", JobEvent, RunEvent)


def _awaited(build: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    """A method that makes the call which `build` describes."""

    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # Reading a picture may take a while; the others take no time.
        return await self.run(await asyncio.to_thread(build, *args, **kwargs))

    dress_as_method(method, build)
    return method


class AsyncClient:
    """An environment, from asyncio.

    Without arguments it is where AI_SEMBLE_URL, the file of settings, or else http://localhost:8080 says.
    Use it as an `async with`. All errors are AiSembleError.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        settings: Settings | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.settings = settings or Settings.load(url=url, api_key=api_key)
        self._backoff = backoff or Backoff(self.settings.retries)
        self._http = httpx2.AsyncClient(**options_of_http(self.settings))

    complete = _awaited(calls.complete)
    see = _awaited(calls.see)
    read = _awaited(calls.read)
    draw = _awaited(calls.draw)
    nlp = _awaited(calls.nlp)
    sentiment = _awaited(calls.sentiment)
    entities = _awaited(calls.entities)
    language = _awaited(calls.language)
    keywords = _awaited(calls.keywords)
    summarize = _awaited(calls.summarize)
    tokenize = _awaited(calls.tokenize)
    embed = _awaited(calls.embed)
    similarity = _awaited(calls.similarity)
    matrix = _awaited(calls.matrix)
    classify = _awaited(calls.classify)
    pii = _awaited(calls.pii)
    process = _awaited(calls.process)
    sql = _awaited(calls.sql)
    profile = _awaited(calls.profile)
    datasets = _awaited(calls.datasets)
    dataset = _awaited(calls.dataset)
    delete_dataset = _awaited(calls.delete_dataset)
    job = _awaited(calls.job)
    cancel = _awaited(calls.cancel)
    forget = _awaited(calls.forget)
    workflows = _awaited(calls.workflows)
    workflow = _awaited(calls.workflow)
    put_workflow = _awaited(calls.put_workflow)
    delete_workflow = _awaited(calls.delete_workflow)
    start_workflow = _awaited(calls.start_workflow)
    workflow_run = _awaited(calls.workflow_run)
    cancel_run = _awaited(calls.cancel_run)
    retry_run = _awaited(calls.retry_run)
    rerun = _awaited(calls.rerun)
    delete_run = _awaited(calls.delete_run)
    run_outputs = _awaited(calls.run_outputs)
    run_page = _awaited(calls.run_page)
    health = _awaited(calls.health)

    async def run(self, call: Call[T]) -> T:
        """Make a call, and again when that may help; see `Backoff`."""
        return await self._patiently(call, lambda: self._once(call))

    async def stream(self, call: Call[Completion]) -> AsyncTextStream:
        """The answer of a `calls.complete` while it is written."""
        streamed = calls.stream(call)
        return AsyncTextStream(await self._patiently(streamed, lambda: self._open(streamed)))

    async def submit(self, call: Call[T], *, idempotency_key: str | None = None) -> AsyncJobHandle[T]:
        """Make a call as a job, which survives crashes of the server and of the caller."""
        accepted = await self.run(as_job(call, idempotency_key))
        return AsyncJobHandle(self, accepted.id, call.read)

    async def jobs(
        self, *, state: str | None = None, service: str | None = None, limit: int = 50
    ) -> AsyncIterator[Job]:
        """The newest jobs, at most `limit`."""
        cursor = None
        while limit > 0:
            page = await self.run(
                calls.job_page(state=state, service=service, limit=min(limit, 200), cursor=cursor)
            )
            for job in page.jobs:
                yield job
            limit, cursor = limit - len(page.jobs), page.next_cursor
            if cursor is None:
                return

    def events(self, job_id: str) -> AsyncIterator[JobEvent]:
        """What happens to a job until it ends; a broken connection is taken up where it was."""
        return self._follow(partial(calls.events, job_id), job_event, f"job {job_id}")

    def run_events(self, run_id: str) -> AsyncIterator[RunEvent]:
        """The log of a run until it ends; a broken connection is taken up where it was."""
        return self._follow(partial(calls.run_events, run_id), run_event, f"run {run_id}")

    async def wait_for_run(self, run_id: str, *, timeout_s: float | None = None) -> RunDetail:
        """How a run ended, well or not; raises WaitEnded after `timeout_s`."""
        started = time.monotonic()
        while True:
            remaining = None if timeout_s is None else timeout_s - (time.monotonic() - started)
            wait_s = next_wait_s(remaining, self.settings.timeout_s, watched=False)
            run = await self.workflow_run(run_id, wait_s=wait_s)
            if run.ended:
                return run
            if remaining is not None and remaining <= 0:
                raise run_overdue(run)

    async def _follow(
        self, call: Callable[[int], Call[bytes]], read: Callable[[httpx2.ServerSentEvent], E], what: str
    ) -> AsyncIterator[E]:
        seen = failures = 0
        while True:
            broken: AiSembleError = NotReached(f"The events of the {what} broke off", "Ask for it itself.")
            async with self._opened(call(seen)) as response:
                if response.status_code == 204:
                    return
                try:
                    async for message in httpx2.EventSource(response):
                        event = read(message)
                        failures, seen = 0, event.number or seen
                        yield event
                        if event.ended:
                            return
                except httpx2.RequestError as error:
                    broken = not_reached(error, self.settings.url)
            failures += 1
            wait = self._backoff.wait_after(broken, failures, repeatable=True)
            if wait is None:
                raise broken
            await asyncio.sleep(wait)

    async def upload(
        self,
        name: str,
        file: str | Path,
        *,
        format: str | None = None,
        encoding: str | None = None,
        replace: bool = False,
        progress: Progress | None = None,
    ) -> Dataset:
        """Keep a file as a dataset."""
        call = calls.upload(name, file, format=format, encoding=encoding, replace=replace)
        return await self._patiently(call, lambda: self._once(call, progress))

    async def download(
        self,
        name: str,
        to: str | Path | BinaryIO,
        *,
        format: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Write the rows of a dataset to a file, which appears when it is whole, or to an open one."""
        async with self._opened(calls.download(name, format=format)) as response:
            with appearing(to) as file:
                whole, done = int(response.headers.get("content-length") or 0), 0
                try:
                    async for piece in response.aiter_bytes():
                        await asyncio.to_thread(file.write, piece)
                        done += len(piece)
                        if progress:
                            progress(done, whole)
                except httpx2.RequestError as error:
                    raise not_reached(error, self.settings.url) from error

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _patiently(self, call: Call[Any], attempt_it: Callable[[], Awaitable[T]]) -> T:
        for attempt in count(1):
            try:
                return await attempt_it()
            except AiSembleError as error:
                wait = self._backoff.wait_after(error, attempt, repeatable=call.repeatable)
                if wait is None:
                    raise
            await asyncio.sleep(wait)
        raise AssertionError  # `count` does not end

    @asynccontextmanager
    async def _opened(self, call: Call[Any]) -> AsyncIterator[httpx2.Response]:
        response = await self._patiently(call, lambda: self._open(call))
        try:
            yield response
        finally:
            await response.aclose()

    async def _once(self, call: Call[T], progress: Progress | None = None) -> T:
        options = options_of_request(call)
        try:
            if call.upload is None:
                response = await self._http.request(call.method, call.path, **options)
            else:
                with pieces_of(call.upload, progress) as (pieces, size):
                    options["headers"]["Content-Length"] = str(size)
                    options["content"] = _in_threads(pieces)
                    response = await self._http.request(call.method, call.path, **options)
        except httpx2.RequestError as error:
            raise not_reached(error, self.settings.url) from error
        return answer_of(call, response.status_code, response.headers, response.content)

    async def _open(self, call: Call[Any]) -> httpx2.Response:
        request = self._http.build_request(call.method, call.path, **options_of_request(call))
        try:
            response = await self._http.send(request, stream=True)
            if response.is_success:
                return response
            await response.aread()
        except httpx2.RequestError as error:
            raise not_reached(error, self.settings.url) from error
        raise problem_of(response.status_code, response.headers, response.content)


async def _in_threads(pieces: Any) -> AsyncIterator[bytes]:
    """A disk may be slow, and the event loop has others to serve."""
    while (piece := await asyncio.to_thread(next, pieces, b"")) != b"":
        yield piece


class AsyncJobHandle(Generic[T]):
    """A job whose result is a T."""

    def __init__(self, client: AsyncClient, job_id: str, read: Callable[[bytes], T]) -> None:
        self._client = client
        self._read = read
        self.id = job_id

    async def state(self) -> Job:
        """How it stands now."""
        return await self._client.job(self.id)

    async def wait(
        self, *, timeout_s: float | None = None, progress: Callable[[Job], None] | None = None
    ) -> T:
        """Its result, when it has ended.

        Raises the ProblemError that it failed with, JobCancelled, or WaitEnded after `timeout_s`; then it goes on.
        """
        check_outcome(await self.wait_for_end(timeout_s=timeout_s, progress=progress))
        return self._read(await self._client.run(calls.job_result(self.id)))

    async def wait_for_end(
        self, *, timeout_s: float | None = None, progress: Callable[[Job], None] | None = None
    ) -> Job:
        """How it ended, well or not; raises WaitEnded after `timeout_s`."""
        started = time.monotonic()
        while True:
            remaining = None if timeout_s is None else timeout_s - (time.monotonic() - started)
            wait_s = next_wait_s(remaining, self._client.settings.timeout_s, watched=progress is not None)
            job = await self._client.job(self.id, wait_s=wait_s)
            if progress:
                progress(job)
            if job.ended:
                return job
            if remaining is not None and remaining <= 0:
                raise overdue(job)

    def events(self) -> AsyncIterator[JobEvent]:
        """What happens to it until it ends."""
        return self._client.events(self.id)

    async def cancel(self) -> Job:
        """Stop it."""
        return await self._client.cancel(self.id)
