"""The client that waits for its answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from ai_semble_client.streams import TextStream, job_event, run_event

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", JobEvent, RunEvent)


def _made_now(build: Callable[P, Call[T]]) -> Callable[Concatenate[Client, P], T]:
    """A method that makes the call which `build` describes."""

    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(build(*args, **kwargs))

    dress_as_method(method, build)
    return method


class Client:
    """An environment, from Python.

    Without arguments it is where AI_SEMBLE_URL, the file of settings, or else http://localhost:8080 says.
    It may be used by several threads, and as a `with`. All errors are AiSembleError.
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
        self._http = httpx2.Client(**options_of_http(self.settings))

    complete = _made_now(calls.complete)
    see = _made_now(calls.see)
    read = _made_now(calls.read)
    draw = _made_now(calls.draw)
    nlp = _made_now(calls.nlp)
    sentiment = _made_now(calls.sentiment)
    entities = _made_now(calls.entities)
    language = _made_now(calls.language)
    keywords = _made_now(calls.keywords)
    summarize = _made_now(calls.summarize)
    tokenize = _made_now(calls.tokenize)
    embed = _made_now(calls.embed)
    similarity = _made_now(calls.similarity)
    matrix = _made_now(calls.matrix)
    classify = _made_now(calls.classify)
    pii = _made_now(calls.pii)
    process = _made_now(calls.process)
    sql = _made_now(calls.sql)
    profile = _made_now(calls.profile)
    datasets = _made_now(calls.datasets)
    dataset = _made_now(calls.dataset)
    delete_dataset = _made_now(calls.delete_dataset)
    job = _made_now(calls.job)
    cancel = _made_now(calls.cancel)
    forget = _made_now(calls.forget)
    workflows = _made_now(calls.workflows)
    workflow = _made_now(calls.workflow)
    put_workflow = _made_now(calls.put_workflow)
    delete_workflow = _made_now(calls.delete_workflow)
    start_workflow = _made_now(calls.start_workflow)
    workflow_run = _made_now(calls.workflow_run)
    cancel_run = _made_now(calls.cancel_run)
    retry_run = _made_now(calls.retry_run)
    rerun = _made_now(calls.rerun)
    delete_run = _made_now(calls.delete_run)
    run_outputs = _made_now(calls.run_outputs)
    run_page = _made_now(calls.run_page)
    health = _made_now(calls.health)

    def run(self, call: Call[T]) -> T:
        """Make a call, and again when that may help; see `Backoff`."""
        return self._patiently(call, lambda: self._once(call))

    def stream(self, call: Call[Completion]) -> TextStream:
        """The answer of a `calls.complete` while it is written."""
        streamed = calls.stream(call)
        return TextStream(self._patiently(streamed, lambda: self._open(streamed)))

    def submit(self, call: Call[T], *, idempotency_key: str | None = None) -> JobHandle[T]:
        """Make a call as a job, which survives crashes of the server and of the caller."""
        accepted = self.run(as_job(call, idempotency_key))
        return JobHandle(self, accepted.id, call.read)

    def jobs(self, *, state: str | None = None, service: str | None = None, limit: int = 50) -> Iterator[Job]:
        """The newest jobs, at most `limit`."""
        cursor = None
        while limit > 0:
            page = self.run(
                calls.job_page(state=state, service=service, limit=min(limit, 200), cursor=cursor)
            )
            yield from page.jobs
            limit, cursor = limit - len(page.jobs), page.next_cursor
            if cursor is None:
                return

    def events(self, job_id: str) -> Iterator[JobEvent]:
        """What happens to a job until it ends; a broken connection is taken up where it was."""
        return self._follow(partial(calls.events, job_id), job_event, f"job {job_id}")

    def run_events(self, run_id: str) -> Iterator[RunEvent]:
        """The log of a run until it ends; a broken connection is taken up where it was."""
        return self._follow(partial(calls.run_events, run_id), run_event, f"run {run_id}")

    def wait_for_run(self, run_id: str, *, timeout_s: float | None = None) -> RunDetail:
        """How a run ended, well or not; raises WaitEnded after `timeout_s`."""
        started = time.monotonic()
        while True:
            remaining = None if timeout_s is None else timeout_s - (time.monotonic() - started)
            wait_s = next_wait_s(remaining, self.settings.timeout_s, watched=False)
            run = self.workflow_run(run_id, wait_s=wait_s)
            if run.ended:
                return run
            if remaining is not None and remaining <= 0:
                raise run_overdue(run)

    def _follow(
        self, call: Callable[[int], Call[bytes]], read: Callable[[httpx2.ServerSentEvent], E], what: str
    ) -> Iterator[E]:
        seen = failures = 0
        while True:
            broken: AiSembleError = NotReached(f"The events of the {what} broke off", "Ask for it itself.")
            with self._opened(call(seen)) as response:
                if response.status_code == 204:
                    return
                try:
                    for event in map(read, httpx2.EventSource(response)):
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
            time.sleep(wait)

    def upload(
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
        return self._patiently(call, lambda: self._once(call, progress))

    def download(
        self,
        name: str,
        to: str | Path | BinaryIO,
        *,
        format: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Write the rows of a dataset to a file, which appears when it is whole, or to an open one."""
        with self._opened(calls.download(name, format=format)) as response, appearing(to) as file:
            whole, done = int(response.headers.get("content-length") or 0), 0
            try:
                for piece in response.iter_bytes():
                    file.write(piece)
                    done += len(piece)
                    if progress:
                        progress(done, whole)
            except httpx2.RequestError as error:
                raise not_reached(error, self.settings.url) from error

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def _patiently(self, call: Call[Any], attempt_it: Callable[[], T]) -> T:
        for attempt in count(1):
            try:
                return attempt_it()
            except AiSembleError as error:
                wait = self._backoff.wait_after(error, attempt, repeatable=call.repeatable)
                if wait is None:
                    raise
            time.sleep(wait)
        raise AssertionError  # `count` does not end

    @contextmanager
    def _opened(self, call: Call[Any]) -> Iterator[httpx2.Response]:
        response = self._patiently(call, lambda: self._open(call))
        try:
            yield response
        finally:
            response.close()

    def _once(self, call: Call[T], progress: Progress | None = None) -> T:
        options = options_of_request(call)
        try:
            if call.upload is None:
                response = self._http.request(call.method, call.path, **options)
            else:
                with pieces_of(call.upload, progress) as (pieces, size):
                    options["headers"]["Content-Length"] = str(size)
                    response = self._http.request(call.method, call.path, content=pieces, **options)
        except httpx2.RequestError as error:
            raise not_reached(error, self.settings.url) from error
        return answer_of(call, response.status_code, response.headers, response.content)

    def _open(self, call: Call[Any]) -> httpx2.Response:
        request = self._http.build_request(call.method, call.path, **options_of_request(call))
        try:
            response = self._http.send(request, stream=True)
            if response.is_success:
                return response
            response.read()
        except httpx2.RequestError as error:
            raise not_reached(error, self.settings.url) from error
        raise problem_of(response.status_code, response.headers, response.content)


class JobHandle(Generic[T]):
    """A job whose result is a T."""

    def __init__(self, client: Client, job_id: str, read: Callable[[bytes], T]) -> None:
        self._client = client
        self._read = read
        self.id = job_id

    def state(self) -> Job:
        """How it stands now."""
        return self._client.job(self.id)

    def wait(self, *, timeout_s: float | None = None, progress: Callable[[Job], None] | None = None) -> T:
        """Its result, when it has ended.

        Raises the ProblemError that it failed with, JobCancelled, or WaitEnded after `timeout_s`; then it goes on.
        """
        check_outcome(self.wait_for_end(timeout_s=timeout_s, progress=progress))
        return self._read(self._client.run(calls.job_result(self.id)))

    def wait_for_end(
        self, *, timeout_s: float | None = None, progress: Callable[[Job], None] | None = None
    ) -> Job:
        """How it ended, well or not; raises WaitEnded after `timeout_s`."""
        started = time.monotonic()
        while True:
            remaining = None if timeout_s is None else timeout_s - (time.monotonic() - started)
            wait_s = next_wait_s(remaining, self._client.settings.timeout_s, watched=progress is not None)
            job = self._client.job(self.id, wait_s=wait_s)
            if progress:
                progress(job)
            if job.ended:
                return job
            if remaining is not None and remaining <= 0:
                raise overdue(job)

    def events(self) -> Iterator[JobEvent]:
        """What happens to it until it ends."""
        return self._client.events(self.id)

    def cancel(self) -> Job:
        """Stop it."""
        return self._client.cancel(self.id)
