"""What can go wrong with language models, beyond what every service knows."""

from __future__ import annotations

from typing import ClassVar

from ai_semble.errors import AiSembleError, InvalidRequest, NotFound, ServiceUnavailable


class ContextLengthExceeded(AiSembleError):
    """Prompt and answer together are longer than the model's context. Nothing is ever cut to make it fit.

    `n_prompt_tokens` and `n_ctx` say how long the prompt is and how much there is.
    """

    code: ClassVar[str] = "context_length_exceeded"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "The prompt does not fit"
    hint: ClassVar[str] = "Shorten the prompt, lower `max_tokens`, or raise `llm.context`."


class InvalidSchema(InvalidRequest):
    """The JSON Schema is not valid, cannot be fulfilled, or uses a keyword that cannot be enforced."""

    code, title = "invalid_schema", "The JSON Schema cannot be used"
    hint = "Correct the schema; `detail` says what is wrong with it."


class ModelNotFound(NotFound):
    """There is no model of this name. The models that there are stand in `available`."""

    code, title = "model_not_found", "There is no such model"
    hint = "Leave `model` out, or use a name that GET /v1/models lists."


class EngineFailed(ServiceUnavailable):
    """The engine broke down while it answered, or does not start. It is started again by itself."""

    code, title = "engine_failed", "The language model engine failed"
    hint = "Try again after `Retry-After` seconds; `./scripts/deploy.sh logs llm` shows what happened."


class EngineUnreachable(ServiceUnavailable):
    """The OpenAI-compatible server at `llm.base_url` cannot be reached, or broke off its answer."""

    code, title = "engine_unreachable", "The model server cannot be reached"
    hint = "Check `llm.base_url`, `llm.api_key_file` and that server."
