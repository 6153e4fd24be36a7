"""The language processing service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ai_semble.service import Runtime, create_service_app
from ai_services.models.store import ModelStore
from ai_services.nlp.engines.lazy import Source
from ai_services.nlp.engines.shelf import Engines
from ai_services.nlp.routes import create_router
from ai_services.nlp.service import NlpService


def create_app(runtime: Runtime) -> FastAPI:
    """The application. Models are opened at their first use, those of `nlp.preload` right after start."""
    store = ModelStore(runtime.config.models_dir())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        bound_math_threads()
        config = runtime.config
        service = NlpService(
            Engines.create(Source(lambda name: store.installed(name).dir, store.verify), runtime.health),
            workers=config.resources.threads,
            waiting=config.nlp.waiting,
            metrics=runtime.metrics,
            health=runtime.health,
        )
        app.state.nlp = service
        starting = asyncio.create_task(service.start(config.nlp.preload))
        yield
        starting.cancel()
        service.close()

    return create_service_app(
        runtime,
        title="Ai-semble language processing",
        description="Sentiment, names, language, keywords, summaries, words, vectors, labels, personal data.",
        routers=[create_router()],
        lifespan=lifespan,
    )


def bound_math_threads() -> None:
    """One thread for each matrix product: requests run side by side instead.

    With more, OpenBLAS's threads wait for each other by spinning, and take up to nine tenths of the speed.
    """
    import numpy  # noqa: F401, PLC0415 - its library must be loaded to be limited
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    threadpool_limits(limits=1)
