"""What /health answers."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class State(StrEnum):
    """How a service is."""

    STARTING = "starting"
    LOADING = "loading"
    READY = "ready"
    DEGRADED = "degraded"
    FAILED = "failed"
    UNREACHABLE = "unreachable"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]

    @property
    def serves(self) -> bool:
        return self in (State.READY, State.DEGRADED)


_SENTENCES = {
    State.STARTING: "The process has started and is getting ready.",
    State.LOADING: "The model is being loaded.",
    State.READY: "All is well.",
    State.DEGRADED: "It answers, but not everything works.",
    State.FAILED: "It cannot work; the reason is in its log.",
    State.UNREACHABLE: "It does not answer.",
}


class ModelState(StrEnum):
    """How a model is."""

    NOT_INSTALLED = "not_installed"
    INSTALLED = "installed"
    LOADING = "loading"
    LOADED = "loaded"
    FAILED = "failed"


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class ModelStatus(_Answer):
    """One model that a service uses."""

    name: str = Field(description="Name in the catalogue.", examples=["smollm2-135m-instruct"])
    task: str = Field(description="What it is used for.", examples=["text-generation"])
    state: ModelState = Field(description="`installed` models are loaded at their first use.")
    device: str = Field(
        "", description="Where the engine really runs it; empty while not loaded.", examples=["cpu"]
    )
    memory_bytes: int | None = Field(None, description="Memory that loading it took, in bytes, where known.")
    detail: str = Field("", description="Why it failed, or what is notable.")


class ServiceHealth(_Answer):
    """One service, as it sees itself."""

    service: str = Field(description="Its name.", examples=["llm"])
    state: State = Field(description="How the service is.")
    reason: str = Field(description="The state in words.", examples=["All is well."])
    version: str = Field(description="Version of Ai-semble that it runs.", examples=["2.0.0"])
    device: str = Field(description="Device that is really used.", examples=["cpu"])
    models: tuple[ModelStatus, ...] = Field((), description="Models that it uses.")
    memory_bytes: int = Field(0, description="Resident memory of the process and its workers, in bytes.")
    uptime_s: float = Field(0, description="Seconds since the process started.")
    pid: int = Field(0, description="Process id, as the service sees it.")


class EnvironmentHealth(_Answer):
    """The whole environment: `ready` when every service is, `degraded` when one is not."""

    status: State = Field(description="`ready`, `degraded` (with the reason), or `starting`.")
    reason: str = Field(description="What is wrong, in words.", examples=["All is well."])
    environment: str = Field(description="Name of the environment.", examples=["default"])
    version: str = Field(description="Version of the orchestrator.", examples=["2.0.0"])
    uptime_s: float = Field(description="Seconds since the orchestrator started.")
    memory_bytes: int = Field(description="Resident memory of all services together, in bytes.")
    services: dict[str, ServiceHealth] = Field(description="Every service by name.")


class Liveness(_Answer):
    """The process answers."""

    status: str = Field("alive", description="Always `alive`.", examples=["alive"])


class Readiness(_Answer):
    """Whether requests are served now."""

    ready: bool = Field(description="Whether calls are served.")
    reason: str = Field(description="What is missing, in words.", examples=["All is well."])
