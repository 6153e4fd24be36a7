"""Keeps with a model's files what its licence asks for: the licence's text and who made it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from ai_services.models.catalogue import UNKNOWN, ModelSpec
from ai_services.models.gguf import licence_in

NOTICE = "NOTICE.txt"


def add_notices(model: ModelSpec, folder: Path, sources: Mapping[str, str]) -> None:
    """Write NOTICE.txt, and LICENSE where no source brought one and the text is known here."""
    (folder / NOTICE).write_text(notice_text(model, sources), encoding="utf-8")
    text = resources.files("ai_services.models").joinpath("licences", f"{model.licence}.txt")
    if not (folder / "LICENSE").exists() and text.is_file():
        (folder / "LICENSE").write_bytes(text.read_bytes())


def under_its_licence(model: ModelSpec, files: Mapping[str, Path]) -> ModelSpec:
    """The model with the licence that one of its files (by name) says, where the catalogue has none. Raises OSError."""
    if model.licence != UNKNOWN:
        return model
    named = (licence_in(path) for name, path in files.items() if name.endswith(".gguf"))
    return model.model_copy(update={"licence": next(filter(None, named), UNKNOWN)})


def notice_text(model: ModelSpec, sources: Mapping[str, str]) -> str:
    """Title, licence, attribution, and where each file came from."""
    lines = [
        model.title or model.name,
        f"Licence: {model.licence}",
        *([model.notice] if model.notice else []),
    ]
    if model.convert:
        lines.append(
            "The published weights were converted to ONNX; nothing was trained or altered otherwise."
        )
    lines += ["", "Sources:", *(f"  {name}: {source}" for name, source in sorted(sources.items()))]
    return "\n".join(lines) + "\n"
