"""The data processor's application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ai_semble.room import Room
from ai_semble.schemas.health import State
from ai_semble.service import Runtime, create_service_app
from ai_semble.workpool import WorkPool
from data_processor.datasets.store import DatasetStore
from data_processor.processor import Processor, limits_of
from data_processor.routes import datasets, process
from data_processor.routes.desk import Desk
from data_processor.workers.pool import Workers


def create_app(runtime: Runtime) -> FastAPI:
    """The application. Its lifespan opens the folder of datasets and starts what workers are forked from."""
    config = runtime.config

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        room = Room(runtime.paths.data_dir, config.resources.keep_free_disk)
        store, workers = DatasetStore(room), Workers()
        pool = WorkPool(
            "data", threads=config.data.concurrency, waiting=config.data.max_waiting, metrics=runtime.metrics
        )
        processor = Processor(store, workers, pool, limits_of(config), runtime.metrics)
        app.state.data = Desk(processor, config.server.max_body_bytes, config.data.max_upload_bytes)
        await asyncio.to_thread(store.open)
        room.report(runtime.metrics)
        await asyncio.to_thread(workers.start)
        runtime.health.set_state(State.READY)
        yield
        await asyncio.to_thread(workers.close)
        pool.close()

    return create_service_app(
        runtime,
        title="Ai-semble data processor",
        description="Profiles, reshapes, checks and queries tables of any common format.",
        routers=[process.router, datasets.router],
        lifespan=lifespan,
        unbounded_paths=("/data/process", "/data/datasets/"),
    )
