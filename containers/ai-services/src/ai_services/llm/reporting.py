"""What the engine reports, told to the health board and the metrics."""

from __future__ import annotations

from typing import assert_never

from ai_semble.health import HealthBoard
from ai_semble.schemas.health import ModelState, ModelStatus, State
from ai_services.llm.engines.protocol import Engine, EngineState, EngineStatus, ModelFacts
from ai_services.llm.meters import Meters
from ai_services.models.errors import ModelNotInstalled

TASK = "chat"


class Reporter:
    """Receives an engine's reports. `engine` is set once it exists."""

    def __init__(self, health: HealthBoard, meters: Meters) -> None:
        self.engine: Engine | None = None
        self._health = health
        self._meters = meters
        self._named: set[str] = set()

    def report(self, status: EngineStatus) -> None:
        for name in self._named - {model.name for model in status.models}:
            self._health.drop_model(name)
        self._named = {model.name for model in status.models}
        for model in status.models:
            self._health.set_model(self._model_status(model, status))
        self._health.set_state(service_state(status), status.reason)
        self._meters.show(status)

    def _model_status(self, model: ModelFacts, status: EngineStatus) -> ModelStatus:
        memory = self.engine.memory_bytes() if self.engine else 0
        return ModelStatus(
            name=model.name,
            task=TASK,
            state=model_state(status),
            device=model.device,
            memory_bytes=memory or None,
            detail=_detail(model, status),
        )


def service_state(status: EngineStatus) -> State:
    """The service's state by its engine's."""
    match status.state:
        case EngineState.IDLE | EngineState.READY:
            return State.READY
        case EngineState.LOADING:
            return State.LOADING
        case EngineState.FAILED:
            return State.FAILED
        case _:
            assert_never(status.state)


def model_state(status: EngineStatus) -> ModelState:
    """The model's state by its engine's."""
    match status.state:
        case EngineState.IDLE:
            return ModelState.INSTALLED
        case EngineState.LOADING:
            return ModelState.LOADING
        case EngineState.READY:
            return ModelState.LOADED
        case EngineState.FAILED:
            missing = isinstance(status.error, ModelNotInstalled)
            return ModelState.NOT_INSTALLED if missing else ModelState.FAILED
        case _:
            assert_never(status.state)


def _detail(model: ModelFacts, status: EngineStatus) -> str:
    if status.error:
        return status.error.detail
    trained = (model.details or {}).get("trained_context") or 0
    if model.context and trained and model.context > trained:
        return f"`llm.context` is {model.context}, but the model was trained with {trained} tokens."
    return f"context of {model.context} tokens" if model.context else ""
