"""The one table of what an environment is made of. Units, ports, health and the gateway all read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ai_semble.service import Runtime


@dataclass(frozen=True)
class Service:
    """One service: its name everywhere, its port, and the function that makes its application.

    One that starts no programs gives up that it can.
    """

    name: str
    title: str
    port: int
    factory: str
    starts_programs: bool = False

    @property
    def program(self) -> str:
        """What its image runs: `serve` of this service, with a path of its own."""
        return f"ai-semble-{self.name}"

    def create_app(self, runtime: Runtime) -> FastAPI:
        module, _, function = self.factory.partition(":")
        create: Callable[[Runtime], FastAPI] = getattr(import_module(module), function)
        return create(runtime)


ORCHESTRATOR = Service("orchestrator", "Orchestrator", 8080, "orchestrator.app:create_app")
LLM = Service("llm", "Large language model", 8081, "ai_services.llm.app:create_app", starts_programs=True)
VISION = Service("vision", "Vision", 8082, "ai_services.vision.app:create_app")
NLP = Service("nlp", "Natural language processing", 8083, "ai_services.nlp.app:create_app")
DATA = Service(
    "data-processor", "Data processing", 8084, "data_processor.app:create_app", starts_programs=True
)

SERVICES = {service.name: service for service in (ORCHESTRATOR, LLM, VISION, NLP, DATA)}
UPSTREAMS = {name: service for name, service in SERVICES.items() if service is not ORCHESTRATOR}
