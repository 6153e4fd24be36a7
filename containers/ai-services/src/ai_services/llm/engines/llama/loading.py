"""Loads a model into llama.cpp and finds out what really became of it. Runs in the host process."""

from __future__ import annotations

import json
import os
import secrets
import socket
import tempfile
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from ai_services.llm.engines.llama.order import Loaded, Settings

CPU = "cpu"
MOSTLY = 0.9
SOME = 0.05
LOG_WARNINGS = 2
"""llama.cpp's verbosity: errors and warnings. More would write prompts."""


class LoadFailed(Exception):
    """llama.cpp could not load the file."""


def find_devices() -> None:
    """Before anything of a model is read: a GPU's driver may start a program when it is asked for the first time."""
    import xllamacpp  # noqa: PLC0415 - as below

    _free_gpu_memory(xllamacpp)


def load(settings: Settings) -> tuple[Any, Loaded]:
    """The running server, and facts about it. Raises LoadFailed."""
    import xllamacpp  # noqa: PLC0415 - a hundred megabytes, wanted in this process only

    free_before = _free_gpu_memory(xllamacpp)
    with tempfile.TemporaryDirectory(prefix="ai-semble-llm-") as folder:
        listener = Path(folder) / "engine.sock"
        parameters = _parameters(xllamacpp, settings, listener, has_gpu=bool(free_before))
        try:
            server = xllamacpp.Server(parameters)
        except (RuntimeError, ValueError, OSError) as error:
            raise LoadFailed(str(error)) from error
        described = _describe(listener, parameters.api_keys[0])
        # llama.cpp cannot be told not to listen. Without its file nobody can connect to the socket.
        listener.unlink()
    size = Path(settings.path).stat().st_size
    return server, Loaded(
        devices=devices_used(free_before, _free_gpu_memory(xllamacpp), size),
        context=described["n_ctx"],
        trained_context=described["n_ctx_train"],
        parameters=described["n_params"],
        quantisation=described.get("ftype", ""),
    )


def _parameters(xllamacpp: Any, settings: Settings, listener: Path, *, has_gpu: bool) -> Any:
    p = xllamacpp.CommonParams()
    p.model.path = settings.path
    p.model_alias = {settings.name}
    p.offline = True
    p.n_ctx = settings.context * settings.slots
    p.n_parallel = settings.slots
    p.n_batch = p.n_ubatch = settings.batch
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = settings.threads
    p.cache_type_k = xllamacpp.ggml_type.GGML_TYPE_F16  # rounded keys make small models talk nonsense
    p.cache_type_v = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{settings.cache_type.upper()}")
    p.n_gpu_layers = settings.gpu_layers
    p.fit_params = has_gpu  # measuring what fits loads the model twice
    p.cache_idle_slots = False
    p.cache_ram_mib = 0  # old prompts would otherwise fill 8 GB of memory
    p.hostnames = [str(listener)]
    p.api_keys = [secrets.token_urlsafe(32)]
    p.ui = p.endpoint_slots = p.endpoint_props = p.endpoint_metrics = False
    p.verbosity = LOG_WARNINGS
    return p


def _describe(listener: Path, key: str) -> dict[str, Any]:
    """llama.cpp's own description of the model that it serves."""
    connection = _UnixConnection(listener)
    try:
        connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})
        meta: dict[str, Any] = json.load(connection.getresponse())["data"][0]["meta"]
        return meta
    finally:
        connection.close()


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


def _free_gpu_memory(xllamacpp: Any) -> dict[str, int]:
    """Free bytes of every device that is not the CPU, by its name."""
    kinds = xllamacpp.ggml_backend_dev_type
    gpus = (kinds.GGML_BACKEND_DEVICE_TYPE_GPU, kinds.GGML_BACKEND_DEVICE_TYPE_IGPU)
    return {
        device["name"].lower(): device["memory_free"]
        for device in xllamacpp.get_device_info()
        if device["type"] in gpus
    }


def devices_used(before: Mapping[str, int], after: Mapping[str, int], size: int) -> tuple[str, ...]:
    """Where a model of `size` bytes is, by the memory that loading it took from each GPU.

    What the GPUs did not take, the CPU computes.
    """
    taken = {name: max(0, free - after.get(name, free)) for name, free in before.items()}
    used = tuple(name for name, amount in taken.items() if amount >= SOME * size)
    return used if used and sum(taken.values()) >= MOSTLY * size else (*used, CPU)
