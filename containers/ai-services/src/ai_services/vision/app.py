"""The vision service."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ai_semble.schemas.health import State
from ai_semble.service import Runtime, create_service_app
from ai_semble.workpool import WorkPool
from ai_services.models.store import ModelStore
from ai_services.vision.analysis import Analyst
from ai_services.vision.imaging.decoding import PictureDecoder
from ai_services.vision.residency import Place, Reporter
from ai_services.vision.routes import Desk, create_router
from ai_services.vision.shelf import Part, Shelf


def create_app(runtime: Runtime) -> FastAPI:
    """The application. Models are opened by its lifespan or at their first use, as configured."""
    vision = runtime.config.vision

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Pillow warns of damage that it can live with, once for every broken EXIF block of a stranger.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        pool = WorkPool("vision", threads=vision.workers, waiting=vision.max_waiting, metrics=runtime.metrics)
        place = Place(ModelStore(runtime.config.models_dir()), Reporter(runtime.health, runtime.metrics))
        shelf = Shelf.create(runtime.config, place)
        decoder = PictureDecoder(vision.max_megapixels)
        app.state.vision = Desk(Analyst(shelf, decoder, vision.unsafe_from, runtime.metrics), pool)
        await _prepare(runtime, shelf, pool)
        yield
        pool.close()

    return create_service_app(
        runtime,
        title="Ai-semble vision",
        description="Labels, objects, text, faces, safety and vectors of pictures.",
        routers=[create_router()],
        lifespan=lifespan,
    )


async def _prepare(runtime: Runtime, shelf: Shelf, pool: WorkPool) -> None:
    """Report every model, and load those that are to be there from the start."""
    missing = [reason for model in shelf.all() if (reason := model.announce())]
    runtime.health.set_state(State.LOADING)
    if not missing:
        for part in runtime.config.vision.preload:
            await pool.run(shelf.of(Part(part)).get)
    if missing:
        runtime.health.set_state(
            State.DEGRADED, f"{'; '.join(missing)}. Run: ./scripts/deploy.sh models pull"
        )
    else:
        runtime.health.set_state(State.READY)
