"""Text that is read while it is written."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from types import TracebackType
from typing import Self

import httpx2

from ai_semble_client.answers.jobs import JobEvent
from ai_semble_client.answers.llm import CompletionEnd
from ai_semble_client.answers.workflows import RunEvent
from ai_semble_client.errors import NotReached, UnknownAnswer, of_problem
from ai_semble_client.replies import not_reached


class _Reader:
    """The text so far, and the end when it has come."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.text = ""
        self.end: CompletionEnd | None = None

    def _take(self, event: httpx2.ServerSentEvent) -> str:
        """The next piece of an event; raises what the event `error` tells."""
        try:
            match event.event:
                case "delta":
                    piece = str(json.loads(event.data)["text"])
                    self.text += piece
                    return piece
                case "done":
                    self.end = CompletionEnd.model_validate_json(event.data)
                case "error":
                    raise of_problem(json.loads(event.data))
        except (ValueError, KeyError, TypeError) as error:
            hint = "Compare the versions of client and environment."
            raise UnknownAnswer("The stream has something unknown in it", hint) from error
        return ""

    def _check_end(self) -> None:
        if self.end is None:
            raise NotReached("The stream broke off before its end", "Try again; the log of llm says more.")

    def _broken(self, error: httpx2.RequestError) -> Exception:
        return not_reached(error, str(self._response.request.url.copy_with(path="/")).rstrip("/"))


class TextStream(_Reader):
    """Pieces of text as they are written; when all are read, `end` has everything else.

    Closing it, or leaving its `with`, stops the model.
    """

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__(response)
        self._pieces = self._read()

    def __iter__(self) -> Iterator[str]:
        return self._pieces

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._pieces.close()
        self._response.close()

    def _read(self) -> Generator[str, None, None]:
        try:
            for event in httpx2.EventSource(self._response):
                if piece := self._take(event):
                    yield piece
            self._check_end()
        except httpx2.RequestError as error:
            raise self._broken(error) from error
        finally:
            self._response.close()


class AsyncTextStream(_Reader):
    """Pieces of text as they are written; when all are read, `end` has everything else.

    Closing it, or leaving its `async with`, stops the model.
    """

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__(response)
        self._pieces = self._read()

    def __aiter__(self) -> AsyncIterator[str]:
        return self._pieces

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._pieces.aclose()
        await self._response.aclose()

    async def _read(self) -> AsyncGenerator[str, None]:
        try:
            async for event in httpx2.EventSource(self._response):
                if piece := self._take(event):
                    yield piece
            self._check_end()
        except httpx2.RequestError as error:
            raise self._broken(error) from error
        finally:
            await self._response.aclose()


def run_event(event: httpx2.ServerSentEvent) -> RunEvent:
    """The line of a run's log that an event tells."""
    try:
        return RunEvent.model_validate_json(event.data)
    except ValueError as error:
        raise UnknownAnswer(
            "An event of the run is unknown", "Compare the versions of client and environment."
        ) from error


def job_event(event: httpx2.ServerSentEvent) -> JobEvent:
    """The change of a job that an event tells."""
    try:
        return JobEvent.model_validate_json(event.data)
    except ValueError as error:
        raise UnknownAnswer(
            "An event of the job is unknown", "Compare the versions of client and environment."
        ) from error
