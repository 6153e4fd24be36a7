"""Where the tests find real models: AI_SEMBLE_TEST_MODELS, otherwise the user's own store."""

from __future__ import annotations

import os
from pathlib import Path

from ai_semble.paths import Paths


def models_directory() -> Path:
    """The models folder; raises with the command that fills it, since no test runs without real models."""
    given = os.environ.get("AI_SEMBLE_TEST_MODELS")
    folder = Path(given) if given else Paths.of("default").models_dir
    if not (folder / "smollm2-135m-instruct" / "model.gguf").exists():
        raise RuntimeError(f"there are no models in {folder}; run: ai-semble models pull")
    return folder
