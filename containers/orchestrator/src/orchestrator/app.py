"""The orchestrator's application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from ai_semble.schemas.health import State
from ai_semble.service import Runtime, create_service_app
from orchestrator.access.control import Access
from orchestrator.access.layer import AccessLayer
from orchestrator.access.needs import Needs
from orchestrator.access.rights import Rights
from orchestrator.description import document
from orchestrator.environment.health import EnvironmentProbe
from orchestrator.environment.metrics import Scrape
from orchestrator.fetcher.fetcher import Fetcher
from orchestrator.gateway.caller import GatewayCaller
from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.upstreams import Upstreams
from orchestrator.jobs.service import JobService
from orchestrator.operations import OPERATIONS
from orchestrator.routes import docs, health, jobs, metrics, runs, schedules, webhooks, workflows
from orchestrator.routes.relay import ShortCut, relay_routes
from orchestrator.workflows.service import WorkflowService


def create_app(runtime: Runtime) -> FastAPI:
    """The public API of one environment: what `ai-semble serve orchestrator` runs."""
    relays = relay_routes(OPERATIONS)
    access = Access(runtime)

    def release_watchers() -> None:
        app.state.jobs.release_watchers()
        app.state.workflows.release_watchers()

    app = create_service_app(
        runtime,
        title="Ai-semble",
        description=document.DESCRIPTION,
        routers=[
            health.routes(),
            metrics.routes(),
            docs.routes(),
            jobs.routes(),
            workflows.routes(),
            runs.routes(),
            schedules.routes(),
            webhooks.routes(),
        ],
        lifespan=_life,
        unbounded_paths=[operation.prefix for operation in OPERATIONS if operation.unbounded],
        own_health=True,
        layers=[
            partial(AccessLayer, access=access, needs=Needs(OPERATIONS)),
            partial(ShortCut, routes=relays),
        ],
    )
    app.state.access = access
    app.router.routes.extend(relays)
    app.when_stopping(release_watchers)
    document.install(app, OPERATIONS)
    return app


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    runtime: Runtime = app.state.runtime
    fetcher = Fetcher(runtime.config.fetch, runtime.metrics, egress=runtime.config.network.egress != "none")
    async with Upstreams(runtime.config, runtime.metrics, runtime.service_token) as upstreams:
        app.state.gateway = Gateway(upstreams, fetcher)
        app.state.probe = EnvironmentProbe(runtime.config, runtime.health, upstreams)
        app.state.scrape = Scrape(runtime.config, runtime.metrics, upstreams)
        # The jobs' lock keeps a second orchestrator from the state folder, so from the budgets in it, too.
        async with (
            JobService(runtime, GatewayCaller(app.state.gateway)) as app.state.jobs,
            app.state.access,
            WorkflowService(
                runtime, app.state.jobs, Rights(app.state.access), app.state.gateway.outward.post
            ) as app.state.workflows,
        ):
            await app.state.jobs.start(app.state.access.budgets.hold_again)
            await app.state.workflows.start()
            runtime.health.set_state(State.READY)
            yield
