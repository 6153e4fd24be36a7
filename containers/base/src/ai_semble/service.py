"""One way to make a service's application, the same for all five."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ai_semble import __version__, metrics, problems
from ai_semble.config import Config
from ai_semble.envelope import Envelope, Limits
from ai_semble.guard import Guard, address_names
from ai_semble.health import HealthBoard
from ai_semble.metrics import Metrics
from ai_semble.paths import Paths
from ai_semble.schemas.health import Liveness, Readiness, ServiceHealth, State

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
Layer = Callable[[ASGIApp], ASGIApp]


@dataclass(frozen=True)
class Runtime:
    """What a running service is given: its name, configuration, folders, and where it reports to.

    `token` is the secret that callers must show; None for the orchestrator, whose callers are people.
    `service_token` is what the orchestrator shows to the others.
    """

    service: str
    config: Config
    paths: Paths
    metrics: Metrics
    health: HealthBoard
    token: str | None = None
    service_token: str | None = None

    @classmethod
    def create(
        cls, service: str, config: Config, *, token: str | None = None, service_token: str | None = None
    ) -> Runtime:
        return cls(
            service=service,
            config=config,
            paths=config.paths(),
            metrics=Metrics(service),
            health=HealthBoard(service),
            token=token,
            service_token=service_token,
        )


class ServiceApp(FastAPI):
    """FastAPI behind our own layers (the first is the outermost): what they answer never enters FastAPI."""

    def stand_behind(self, layers: Sequence[Layer]) -> None:
        self._releases: list[Callable[[], None]] = []
        front: ASGIApp = super().__call__
        for layer in reversed(layers):
            front = layer(front)
        self._front = front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self._front(scope, receive, send)

    def when_stopping(self, release: Callable[[], None]) -> None:
        """Have this called before the server waits for running requests, to end those that never would."""
        self._releases.append(release)

    def begin_stop(self) -> None:
        for release in self._releases:
            release()


def create_service_app(
    runtime: Runtime,
    *,
    title: str,
    description: str,
    routers: Sequence[APIRouter],
    lifespan: Lifespan,
    unbounded_paths: Sequence[str] = (),
    own_health: bool = False,
    layers: Sequence[Layer] = (),
) -> ServiceApp:
    """An application with request ids, limits, problem documents, metrics and health.

    `lifespan` opens the engines and sets the health board to READY; handlers find the runtime in
    `request.app.state.runtime`. With `own_health` the service brings its own /health and /metrics routes.
    `layers` stand inside the envelope and the guard, so that what they refuse is logged, counted and answered as well.
    """

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with lifespan(app):
            yield

    app = ServiceApp(
        title=title,
        description=description,
        version=__version__,
        lifespan=life,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if own_health else None,
    )
    app.state.runtime = runtime
    problems.install(app, runtime.service)
    for router in routers if own_health else [*routers, health_routes()]:
        app.include_router(router)
    server = runtime.config.server
    envelope = partial(
        Envelope,
        metrics=runtime.metrics,
        limits=Limits(server.max_body_bytes, server.max_requests, unbounded_paths),
        token=runtime.token,
    )
    guard = partial(
        Guard, server=server, service=runtime.service, also=address_names(runtime.config, runtime.service)
    )
    app.stand_behind([envelope, guard, *layers])
    return app


def health_routes() -> APIRouter:
    """/health, /health/live, /health/ready and /metrics of one service."""
    router = APIRouter(tags=["health"])

    @router.get("/health")
    async def health(request: Request) -> ServiceHealth:
        return runtime_of(request).health.snapshot()

    @router.get("/health/live")
    async def live() -> Liveness:
        return Liveness(status="alive")

    @router.get("/health/ready", responses={503: {"model": Readiness}})
    async def ready(request: Request, response: Response) -> Readiness:
        return readiness(runtime_of(request).health, response)

    @router.get("/metrics")
    async def scrape(request: Request) -> Response:
        return Response(runtime_of(request).metrics.render(), media_type=metrics.CONTENT_TYPE)

    return router


def readiness(board: HealthBoard, response: Response) -> Readiness:
    """Whether the service serves; sets 503 with Retry-After while it does not."""
    if not board.state.serves:
        response.status_code = 503
        response.headers["Retry-After"] = "5" if board.state is State.FAILED else "1"
    return Readiness(ready=board.state.serves, reason=board.reason)


def runtime_of(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime
