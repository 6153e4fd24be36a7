"""ONNX Runtime, set up the same way for every model."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import onnxruntime as ort
from numpy.typing import NDArray

Device = Literal["auto", "cpu", "cuda"]
_PROVIDERS: dict[Device, Sequence[str]] = {
    "auto": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
}
_ERRORS_ONLY = 3


@dataclass(frozen=True)
class SessionSettings:
    """Compute threads of one run, and where it is wished to run."""

    threads: int = 1
    device: Device = "cpu"


class Session:
    """One loaded ONNX file with a single input. `run` may be called from several threads at once."""

    def __init__(self, path: Path, settings: SessionSettings, *, keep_memory: bool) -> None:
        """`keep_memory` keeps a run's working memory for the next one: for inputs of one fixed size."""
        options = ort.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = settings.threads
        options.enable_cpu_mem_arena = keep_memory
        options.enable_mem_pattern = keep_memory
        # Threads that spin while they wait steal the cores of the other engines.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        available = ort.get_available_providers()
        providers = [name for name in _PROVIDERS[settings.device] if name in available]
        self._session = ort.InferenceSession(str(path), options, providers=providers)
        self._input: str = self._session.get_inputs()[0].name

    def run(self, values: NDArray[Any]) -> list[Any]:
        """All outputs, in the order of the file."""
        outputs: list[Any] = self._session.run(None, {self._input: values})
        return outputs

    @property
    def device(self) -> str:
        """Where it really runs: `cpu`, `cuda`. ONNX Runtime falls back to the processor silently."""
        provider: str = self._session.get_providers()[0]
        return provider.removesuffix("ExecutionProvider").lower()

    @property
    def input_shape(self) -> tuple[int | str | None, ...]:
        return tuple(self._session.get_inputs()[0].shape)

    @property
    def metadata(self) -> dict[str, str]:
        found: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        return found


def give_back_memory() -> None:
    """Return freed memory to the system, where the C library can (glibc). It takes about a millisecond."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
