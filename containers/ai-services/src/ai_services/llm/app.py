"""The language model service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import assert_never

from fastapi import FastAPI

from ai_semble.config import Config, LlmConfig
from ai_semble.cores import usable_cores
from ai_semble.errors import InvalidConfiguration
from ai_semble.service import Runtime, create_service_app
from ai_services.llm import openai_routes, routes
from ai_services.llm.admission import Admission
from ai_services.llm.desk import Desk
from ai_services.llm.engines.llama.engine import LlamaEngine
from ai_services.llm.engines.llama.order import Settings
from ai_services.llm.engines.protocol import Engine, Report
from ai_services.llm.meters import Meters
from ai_services.llm.reporting import Reporter
from ai_services.models.catalogue import Task
from ai_services.models.errors import ModelDamaged
from ai_services.models.store import ModelStore


def create_app(runtime: Runtime) -> FastAPI:
    """The application. The engine is started by its lifespan and loads while the service answers already."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        llm = runtime.config.llm
        store = ModelStore(runtime.config.models_dir())
        admission = Admission(llm.parallel, llm.queue)
        meters = Meters(runtime.metrics, admission)
        reporter = Reporter(runtime.health, meters)
        engine = create_engine(runtime.config, store, reporter.report)
        reporter.engine = engine
        meters.watch_memory(engine)
        app.state.llm = Desk(engine, admission, meters, llm.time_limit_s, lambda: chat_models(store))
        await engine.start()
        try:
            yield
        finally:
            await engine.close()

    return create_service_app(
        runtime,
        title="Ai-semble language model",
        description="Completions, conversations and JSON by schema, natively and in OpenAI's shape.",
        routers=[routes.router, openai_routes.router],
        lifespan=lifespan,
    )


def create_engine(config: Config, store: ModelStore, report: Report) -> Engine:
    """The engine that the configuration names."""
    llm = config.llm
    match llm.engine:
        case "llama.cpp":
            return LlamaEngine(
                settings_of(llm, config.resources.threads),
                lambda: gguf_file(store, llm.model),
                lambda: store.verify(llm.model),
                lazy=llm.load == "first_use",
                cancel_limit_s=llm.cancel_limit_s,
                report=report,
            )
        case "openai":
            if not llm.base_url:
                raise InvalidConfiguration(
                    "llm.engine is `openai`, and llm.base_url is not set",
                    hint="Set llm.base_url to the address of the server, as http://gpu-box:8000/v1.",
                )
            from ai_services.llm.engines.remote import RemoteEngine  # noqa: PLC0415 - 8 MB, seldom needed

            return RemoteEngine(llm.base_url, api_key(llm), llm.model, llm.time_limit_s, report)
        case _:
            assert_never(llm.engine)


def settings_of(llm: LlmConfig, shared_threads: int) -> Settings:
    """What llama.cpp is told, but for the path of the file."""
    return Settings(
        path="",
        name=llm.model,
        context=llm.context,
        slots=llm.parallel,
        threads=llm.threads or shared_threads or usable_cores(),
        batch=llm.batch,
        cache_type=llm.cache_type,
        gpu_layers=llm.gpu_layers,
    )


def gguf_file(store: ModelStore, name: str) -> Path:
    """The model's GGUF file; of a model in several, the first. Raises ModelNotInstalled, ModelDamaged."""
    model = store.installed(name)
    weights = sorted(
        path for file, path in model.files.items() if file.endswith(".gguf") and "mmproj" not in file
    )
    if not weights:
        raise ModelDamaged(
            f"the model `{name}` has no .gguf file", hint="Set `llm.model` to a chat model in GGUF."
        )
    return weights[0]


def chat_models(store: ModelStore) -> list[str]:
    """Names of the installed models that could be served."""
    found = (store.find(name) for name in store.names())
    return [model.name for model in found if model and model.task is Task.CHAT]


def api_key(llm: LlmConfig) -> str:
    """The key for the server at `llm.base_url`; empty when none is configured."""
    if not llm.api_key_file:
        return ""
    try:
        return llm.api_key_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InvalidConfiguration(
            f"llm.api_key_file cannot be read: {error}", hint="Put the key, and nothing else, into that file."
        ) from error
