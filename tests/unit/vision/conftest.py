"""Real models, opened once for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ai_semble.config import Config, ModelsConfig, VisionConfig
from ai_semble.service import Runtime
from ai_services.models.store import ModelStore
from ai_services.vision.app import create_app
from ai_services.vision.imaging.decoding import PictureDecoder
from ai_services.vision.residency import Place, Reporter
from ai_services.vision.shelf import Shelf
from tests.support.serving import serving


@pytest.fixture(scope="session")
def config(models_dir: str) -> Config:
    return Config(models=ModelsConfig(directory=Path(models_dir)))


@pytest.fixture(scope="session")
def shelf(config: Config) -> Shelf:
    """Every model, opened when a test first asks for it."""
    runtime = Runtime.create("vision", config)
    place = Place(ModelStore(config.models_dir()), Reporter(runtime.health, runtime.metrics))
    return Shelf.create(config, place)


@pytest.fixture(scope="session")
def decoder() -> PictureDecoder:
    return PictureDecoder(max_megapixels=50)


@pytest.fixture(scope="session")
def api(config: Config) -> Iterator[httpx.Client]:
    """The running service, with everything loaded."""
    vision = VisionConfig(preload=("labels", "objects", "text", "faces", "safety"))
    app = create_app(Runtime.create("vision", config.model_copy(update={"vision": vision})))
    with serving(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client
