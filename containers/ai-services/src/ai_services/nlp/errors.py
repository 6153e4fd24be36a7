"""What can be wrong with a request for language processing."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from ai_semble.errors import AiSembleError, FieldProblem


class LanguageNotSupported(AiSembleError):
    """The task cannot be done in the language given or detected. `supported` lists those that can."""

    code, status, title = "language_not_supported", 422, "The language is not supported for this task"
    hint = "Use one of the languages in `supported`, or set `language` if it was detected wrongly."

    def __init__(self, task: str, found: dict[str, str], supported: Collection[str]) -> None:
        """`found`: language by the field of its text (`text`, `texts.3`)."""
        names = ", ".join(sorted(supported))
        languages = ", ".join(sorted(set(found.values())))
        super().__init__(
            f"the task `{task}` works in {names}, not in {languages}",
            fields=[FieldProblem(field, f"is in `{language}`") for field, language in found.items()],
            extra={"supported": sorted(supported)},
        )


class ModelNotFound(AiSembleError):
    """There is no embedding model of the name in `model`."""

    code, status, title = "model_not_found", 404, "There is no such embedding model"
    hint = "Set `model` to `use-multilingual-v3`."


class ModelFailed(AiSembleError):
    """A model is installed but could not be opened. /health shows why."""

    code: ClassVar[str] = "model_failed"
    status: ClassVar[int] = 503
    title: ClassVar[str] = "A model could not be opened"
    hint: ClassVar[str] = "Check its files with: ai-semble models verify"
