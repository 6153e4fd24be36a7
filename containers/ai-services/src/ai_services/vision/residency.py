"""A model that is opened at its first use, and says of itself how it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import psutil

from ai_semble.errors import AiSembleError
from ai_semble.health import HealthBoard
from ai_semble.logs import get_logger
from ai_semble.metrics import Metrics
from ai_semble.schemas.health import ModelState, ModelStatus
from ai_services.models.errors import ModelDamaged
from ai_services.models.store import InstalledModel, ModelStore
from ai_services.vision.engines.sessions import give_back_memory

log = get_logger(__name__)


class Engine(Protocol):
    """What every engine tells: where it really runs (`cpu`, `cuda`)."""

    @property
    def device(self) -> str: ...


E = TypeVar("E", bound=Engine)


class Reporter:
    """Where models report their state: the health board and the metrics of the service."""

    def __init__(self, health: HealthBoard, metrics: Metrics) -> None:
        self._health = health
        self._resident = metrics.gauge(
            "ai_semble_vision_model_resident", "1 while the model is in memory.", ["model", "device"]
        )
        self._seconds = metrics.gauge(
            "ai_semble_vision_model_load_seconds", "Time that loading took.", ["model"]
        )

    def tell(self, status: ModelStatus) -> None:
        self._health.set_model(status)
        if status.state is ModelState.LOADED:
            self._resident.labels(status.name, status.device).set(1)

    def took(self, model: str, seconds: float) -> None:
        self._seconds.labels(model).set(seconds)


@dataclass(frozen=True)
class Place:
    """Where models come from and where they report to."""

    store: ModelStore
    reporter: Reporter


class Resident(Generic[E]):
    """One model: `get` opens it once, whoever asks first; the others wait for it."""

    def __init__(self, name: str, task: str, open_: Callable[[InstalledModel], E], place: Place) -> None:
        self.name = name
        self._task = task
        self._open = open_
        self._place = place
        self._lock = threading.Lock()
        self._engine: E | None = None

    def announce(self) -> str:
        """Report whether the model is installed, without opening it; returns why not, or nothing."""
        try:
            self._place.store.installed(self.name)
        except AiSembleError as error:
            self._tell(ModelState.NOT_INSTALLED, detail=f"{error.detail}. {error.user_hint}")
            return error.detail
        self._tell(ModelState.INSTALLED)
        return ""

    def get(self) -> E:
        """The engine. Blocks while it is opened: call it in a worker thread.

        Raises ModelNotInstalled, ModelDamaged; the next call tries again.
        """
        if self._engine is None:
            with self._lock:
                if self._engine is None:
                    self._engine = self._load()
        return self._engine

    def _load(self) -> E:
        installed = self._place.store.installed(self.name)
        self._tell(ModelState.LOADING)
        began, before = time.perf_counter(), _resident_bytes()
        try:
            self._place.store.verify(self.name)
            engine = self._open(installed)
        except ModelDamaged as error:
            self._tell(ModelState.FAILED, detail=error.detail)
            raise
        except Exception as error:  # ONNX Runtime raises a dozen classes of its own over a damaged file
            self._tell(ModelState.FAILED, detail=f"{type(error).__name__}: {error}")
            raise ModelDamaged(
                f"the model `{self.name}` could not be opened: {error}",
                hint=f"Fetch it again with: ./scripts/deploy.sh models pull --force {self.name}",
            ) from error
        give_back_memory()
        seconds, taken = time.perf_counter() - began, max(0, _resident_bytes() - before)
        self._place.reporter.took(self.name, seconds)
        self._tell(ModelState.LOADED, device=engine.device, memory_bytes=taken)
        log.info("model_loaded", model=self.name, device=engine.device, ms=round(seconds * 1000), bytes=taken)
        return engine

    def _tell(
        self, state: ModelState, *, detail: str = "", device: str = "", memory_bytes: int | None = None
    ) -> None:
        status = ModelStatus(
            name=self.name,
            task=self._task,
            state=state,
            device=device,
            memory_bytes=memory_bytes,
            detail=detail,
        )
        self._place.reporter.tell(status)


def _resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)
