"""Turns published weights into the ONNX files that the services open. No framework, no foreign code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from ai_services.models.errors import ConversionFailed

Converter = Callable[[Mapping[str, Path]], dict[str, bytes]]

# Modules by name and not imported here: they need NumPy, and every `ai-semble` command passes by.
CONVERTERS = {"efficientnet-lite0": "efficientnet_lite", "nanodet-g-416": "nanodet"}


def converter_of(name: str) -> Converter:
    """What makes a model's files out of its inputs: paths by input name -> contents by file name."""
    if name not in CONVERTERS:
        raise ConversionFailed(f"there is no converter `{name}`; there are {', '.join(CONVERTERS)}")
    converter: Converter = import_module(f"{__name__}.{CONVERTERS[name]}").convert
    return converter
