"""The environment as a whole."""

from __future__ import annotations

from ai_semble_client.answers.base import Answer


class Model(Answer):
    """`state` is not_installed, installed, loading, loaded or failed; `device` is empty while it is not loaded."""

    name: str
    task: str
    state: str
    device: str = ""
    memory_bytes: int | None = None
    detail: str = ""


class ServiceHealth(Answer):
    """A service, as it sees itself."""

    service: str
    state: str
    reason: str
    device: str
    models: tuple[Model, ...] = ()


class Health(Answer):
    """All services."""

    status: str
    reason: str
    environment: str
    version: str
    services: dict[str, ServiceHealth]
