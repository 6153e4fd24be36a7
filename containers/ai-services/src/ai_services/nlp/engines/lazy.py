"""A model that is opened at its first use, and says of itself how it is."""

from __future__ import annotations

import ctypes
import gc
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import psutil

from ai_semble.errors import AiSembleError
from ai_semble.health import HealthBoard
from ai_semble.logs import get_logger
from ai_semble.schemas.health import ModelState, ModelStatus
from ai_services.models.errors import ModelDamaged
from ai_services.nlp.errors import ModelFailed

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """Where models are: `locate` gives a folder, or raises ModelNotInstalled; `verify` reads it through, or raises
    ModelDamaged.
    """

    locate: Callable[[str], Path]
    verify: Callable[[str], None]


class Lazy(Generic[T]):
    """One model: `get` opens it once, whoever asks first, and blocks until it is there."""

    def __init__(
        self,
        name: str,
        task: str,
        *,
        source: Source,
        open_: Callable[[Path], T],
        health: HealthBoard,
    ) -> None:
        self.name = name
        self.task = task
        self._source = source
        self._open = open_
        self._health = health
        self._lock = threading.Lock()
        self._value: T | None = None

    @property
    def loaded(self) -> bool:
        return self._value is not None

    def announce(self) -> bool:
        """Report whether the model is installed, without opening it."""
        try:
            self._source.locate(self.name)
        except AiSembleError as error:
            self._report(ModelState.NOT_INSTALLED, detail=error.user_hint)
            return False
        self._report(ModelState.INSTALLED)
        return True

    def get(self) -> T:
        """The opened model. Blocks while it is opened: call it in a worker thread."""
        if self._value is None:
            with self._lock:
                if self._value is None:
                    self._value = self._load()
        return self._value

    def _load(self) -> T:
        folder = self._source.locate(self.name)
        self._report(ModelState.LOADING)
        began, before = time.perf_counter(), _resident()
        try:
            self._source.verify(self.name)
            value = self._open(folder)
        except ModelDamaged as error:
            self._report(ModelState.FAILED, detail=error.detail)
            raise
        except Exception as error:  # whatever a library raises over a damaged file
            self._report(ModelState.FAILED, detail=f"{type(error).__name__}: {error}")
            raise ModelFailed(f"the model `{self.name}` could not be opened: {error}") from error
        _return_unused_memory()
        taken = max(0, _resident() - before)
        self._report(ModelState.LOADED, device="cpu", memory_bytes=taken)
        get_logger(__name__).info(
            "model_loaded",
            model=self.name,
            ms=round((time.perf_counter() - began) * 1000),
            memory_mib=taken >> 20,
        )
        return value

    def _report(
        self, state: ModelState, *, device: str = "", memory_bytes: int | None = None, detail: str = ""
    ) -> None:
        self._health.set_model(
            ModelStatus(
                name=self.name,
                task=self.task,
                state=state,
                device=device,
                memory_bytes=memory_bytes,
                detail=detail,
            )
        )


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


def _return_unused_memory() -> None:
    """Give back what parsing a model took for a moment: tens of megabytes with glibc; elsewhere, nothing."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:  # musl has no malloc_trim
        return
