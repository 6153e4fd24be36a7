"""A small real HTTP server in the place of a service: it does what a test says, and remembers who called."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
DEADLINE_S = 20


@dataclass(frozen=True)
class Received:
    """One call as the service saw it."""

    path: str
    body: bytes
    headers: dict[str, str]


class Gate:
    """A handler that answers only when the test opens it, and knows of callers that left before."""

    def __init__(self) -> None:
        self.entered = 0
        self.aborted = 0
        self._open = threading.Event()

    def open(self) -> None:
        self._open.set()

    async def __call__(self, _: web.Request) -> web.StreamResponse:
        self.entered += 1
        try:
            while not self._open.is_set():  # noqa: ASYNC110 - it is set from another thread
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.aborted += 1
            raise
        return web.json_response({"gate": "passed"})


class FakeService:
    """Echoes, unless a path was given another handler with `on`."""

    def __init__(self) -> None:
        self.calls: list[Received] = []
        self.url = ""
        self._handlers: dict[str, Handler] = {}

    def on(self, path: str, handler: Handler) -> None:
        self._handlers[path] = handler

    def hold(self, path: str) -> Gate:
        gate = Gate()
        self._handlers[path] = gate
        return gate

    def calls_of(self, path: str) -> list[Received]:
        return [call for call in self.calls if call.path == path]

    def calls_for(self, job_id: str) -> list[Received]:
        return [call for call in self.calls if call.headers.get("idempotency-key") == job_id]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.calls.append(Received(request.path, body, headers))
        return await self._handlers.get(request.path, _echo)(request)


async def _echo(request: web.Request) -> web.StreamResponse:
    body = await request.read()
    return web.json_response({"length": len(body), "echo": body[:1000].decode("utf-8", "replace")})


def failing(times: int, status: int, code: str) -> Handler:
    """Answers with a problem so many times, then echoes."""
    left = times
    problem = {"type": "x", "title": "t", "status": status, "detail": "not now", "code": code}
    problem |= {"hint": "h", "request_id": "r", "source": "fake"}

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal left
        left -= 1
        if left < 0:
            return await _echo(request)
        return web.Response(body=json.dumps(problem), status=status, content_type="application/problem+json")

    return handler


def breaking_off(times: int) -> Handler:
    """Begins an answer and cuts the connection so many times, then echoes."""
    left = times

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal left
        left -= 1
        if left < 0:
            return await _echo(request)
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"the beginning")
        assert request.transport is not None
        request.transport.abort()
        return response

    return handler


@contextmanager
def fake_service(port: int = 0, service: FakeService | None = None) -> Iterator[FakeService]:
    """A running fake service; `service.url` is where."""
    service = service or FakeService()
    loop = asyncio.new_event_loop()
    started: threading.Event = threading.Event()

    async def run() -> None:
        app = web.Application(client_max_size=2**30, handler_args={"handler_cancellation": True})
        app.router.add_route("*", "/{path:.*}", service.answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
        await site.start()
        service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        await stopped.wait()
        await runner.cleanup()

    stopped = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    assert started.wait(DEADLINE_S)
    try:
        yield service
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(DEADLINE_S)
        loop.close()


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.005)
