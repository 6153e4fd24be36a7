"""What the language model service offers."""

from __future__ import annotations

from ai_semble.schemas.llm import (
    ChatCompletionRequest,
    CompletionAnswer,
    CompletionRequest,
    ModelList,
    TextCompletionRequest,
)
from orchestrator.operations.operation import BODY, GATEWAY, Codes, Content, Operation, join

_MODEL: Codes = {
    400: ("context_length_exceeded",),
    403: ("model_not_allowed",),
    404: ("model_not_found",),
    422: ("invalid_schema", "tokens_over_limit", "max_tokens_required"),
    503: ("model_not_installed", "model_damaged", "engine_failed", "engine_unreachable"),
}
_STREAM = Content("text/event-stream", schema={"type": "string"})
_EXAMPLES = {
    "a prompt": {"prompt": "Hello, how are you?", "max_tokens": 100, "temperature": 0.7},
    "a conversation, streamed": {
        "messages": [{"role": "user", "content": "Write one line about rain."}],
        "stream": True,
    },
}
_CHAT = {"a question": {"model": "smollm2-135m-instruct", "messages": [{"role": "user", "content": "Hello"}]}}
_CONTINUE = {"a beginning": {"model": "smollm2-135m-instruct", "prompt": "Once upon a time"}}
_OPENAI_ANSWER = {"type": "object", "description": "As OpenAI's API reference describes it."}

LLM_OPERATIONS = (
    Operation(
        method="POST",
        path="/ai/llm/completion",
        service="llm",
        tag="Language model",
        summary="Complete a prompt or a conversation",
        description="With `stream` the answer comes as server-sent events while it is made.",
        requests=(Content("application/json", CompletionRequest, examples=_EXAMPLES),),
        answers=(Content("application/json", CompletionAnswer), _STREAM),
        codes=join(GATEWAY, BODY, _MODEL),
        may_be_job=True,
    ),
    Operation(
        method="POST",
        path="/v1/chat/completions",
        service="llm",
        tag="OpenAI",
        summary="Chat (OpenAI)",
        description="OpenAI's call; the SDK works with `base_url` set to this server's `/v1`.",
        requests=(Content("application/json", ChatCompletionRequest, examples=_CHAT),),
        answers=(Content("application/json", schema=_OPENAI_ANSWER), _STREAM),
        codes=join(GATEWAY, BODY, _MODEL),
    ),
    Operation(
        method="POST",
        path="/v1/completions",
        service="llm",
        tag="OpenAI",
        summary="Complete (OpenAI)",
        description="OpenAI's older call with a plain prompt.",
        requests=(Content("application/json", TextCompletionRequest, examples=_CONTINUE),),
        answers=(Content("application/json", schema=_OPENAI_ANSWER), _STREAM),
        codes=join(GATEWAY, BODY, _MODEL),
    ),
    Operation(
        method="GET",
        path="/v1/models",
        service="llm",
        tag="OpenAI",
        summary="List language models (OpenAI)",
        description="The models that the language model service has.",
        answers=(Content("application/json", ModelList),),
        codes=GATEWAY,
    ),
)
