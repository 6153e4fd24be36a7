"""The job layer alone, behind the real gateway client: an application, and a process that can be killed.

With a kill point the process kills itself, with SIGKILL, when it comes there. What is killed and where is
decided here, so that the product knows nothing of it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import httpx
import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response

from ai_semble.config import Config
from ai_semble.context import request_id
from ai_semble.loading import load_config
from ai_semble.logs import configure_logs
from ai_semble.schemas.health import State
from ai_semble.service import Runtime, create_service_app
from orchestrator.gateway.caller import GatewayCaller
from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.upstreams import Upstreams
from orchestrator.jobs.askers import ANYBODY
from orchestrator.jobs.calls import Call
from orchestrator.jobs.engine import Engine
from orchestrator.jobs.moves import Ending
from orchestrator.jobs.service import JobService
from orchestrator.jobs.store import JobStore
from orchestrator.routes import jobs as job_routes

DEADLINE_S = 30


def create_job_app(runtime: Runtime) -> FastAPI:
    """/jobs, and POST /{service}/... which submits a call of that service."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with (
            Upstreams(runtime.config, runtime.metrics) as upstreams,
            # Without what the gateway does to pictures, the upstreams do as one.
            JobService(runtime, GatewayCaller(cast(Gateway, upstreams))) as app.state.jobs,
        ):
            await app.state.jobs.start()
            runtime.health.set_state(State.READY)
            yield

    routers = [job_routes.routes(), _submissions()]
    return create_service_app(runtime, title="jobs", description="", routers=routers, lifespan=life)


def _submissions() -> APIRouter:
    router = APIRouter()

    @router.post("/{service}/{rest:path}")
    async def submit(request: Request, service: str, rest: str) -> Response:
        headers = {"content-type": request.headers.get("content-type", "application/json")}
        key = request.headers.get("idempotency-key")
        call = Call(service, "POST", f"/{rest}", headers, request_id(), key)
        return job_routes.accepted(await request.app.state.jobs.submit(call, request.stream(), ANYBODY))

    return router


def job_runtime(config: Config) -> Runtime:
    runtime = Runtime.create("orchestrator", config)
    runtime.paths.make()
    return runtime


def _die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying_before(owner: type, method: str, when: Callable[..., bool] = lambda *_: True) -> None:
    original: Callable[..., Awaitable[Any]] = getattr(owner, method)

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        if when(*args):
            _die()
        return await original(*args, **kwargs)

    setattr(owner, method, wrapped)


def _dying_after(owner: type, method: str) -> None:
    original: Callable[..., Awaitable[Any]] = getattr(owner, method)

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        await original(*args, **kwargs)
        _die()

    setattr(owner, method, wrapped)


def _is_ending(*args: Any) -> bool:
    return any(isinstance(arg, Ending) for arg in args)


KILL_POINTS: dict[str, Callable[[], None]] = {
    "before_accepting": lambda: _dying_before(JobStore, "accept"),
    "after_accepting": lambda: _dying_after(JobStore, "accept"),
    "before_starting": lambda: _dying_before(Engine, "start_now"),
    "after_starting": lambda: _dying_after(Engine, "start_now"),
    "before_beginning": lambda: _dying_before(JobStore, "begin"),
    "after_beginning": lambda: _dying_after(JobStore, "begin"),
    "before_recording": lambda: _dying_before(JobStore, "end", _is_ending),
    "after_recording": lambda: _dying_after(JobStore, "end"),
    "before_postponing": lambda: _dying_before(JobStore, "postpone"),
    "after_postponing": lambda: _dying_after(JobStore, "postpone"),
    "after_asking_to_cancel": lambda: _dying_after(JobStore, "cancel"),
    "before_confirming_the_cancel": lambda: _dying_before(JobStore, "confirm_cancel"),
}


def run_host(port: int, variables: Mapping[str, str], log: str, *points: str) -> None:
    """The life of the process: serve until it is stopped or killed."""

    def make() -> FastAPI:
        for point in points:
            KILL_POINTS[point]()
        return create_job_app(job_runtime(load_config()))

    serve(port, variables, log, make)


def serve(port: int, variables: Mapping[str, str], log: str, make: Callable[[], FastAPI]) -> None:
    """Serve an application, with all that it says in the log."""
    os.environ.update(variables)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    configure_logs("orchestrator", "info")
    server = uvicorn.Config(
        make(), port=port, log_config=None, access_log=False, loop="uvloop", timeout_graceful_shutdown=2
    )
    uvicorn.Server(server).run()


class HostProcess:
    """A process of its own, forked from one that has everything imported, so that it starts at once."""

    def __init__(
        self,
        port: int,
        variables: Mapping[str, str],
        log: Path,
        *points: str,
        run: Callable[..., None] = run_host,
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, "dbos"])
        arguments = (port, dict(variables), str(log), *points)
        self.process = context.Process(target=run, args=arguments, daemon=True)
        self.url = f"http://127.0.0.1:{port}"
        self.log = log

    def start(self) -> None:
        """Returns when it answers, or has died at its kill point already."""
        self.process.start()
        deadline = time.monotonic() + DEADLINE_S
        while self.process.is_alive():
            with suppress(httpx.TransportError):
                httpx.get(f"{self.url}/health/live").raise_for_status()
                return
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.01)

    def kill(self) -> None:
        self.process.kill()
        self.wait_for_death()

    def stop(self) -> None:
        self.process.terminate()
        self.wait_for_death()

    def wait_for_death(self) -> None:
        self.process.join(DEADLINE_S)
        assert not self.process.is_alive(), self.log.read_text()
