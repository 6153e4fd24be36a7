"""What POST /ai/llm/completion takes and answers, and what /v1 is known to take."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from ai_semble.schemas.mistakes import CountedMistakes, FewMembers

MAX_TOKENS = 131_072
DEFAULT_MAX_TOKENS = 512
MAX_STOPS = 16

StopText = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Role(StrEnum):
    """Who says a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Message(FewMembers, _Request):
    """One message of a conversation."""

    role: Role = Field(description="Who says it.", examples=["user"])
    content: str = Field(description="What is said.", max_length=4_000_000, examples=["Hello, how are you?"])


class TextFormat(_Request):
    """Any text."""

    type: Literal["text"]


class JsonObjectFormat(_Request):
    """Any JSON object."""

    type: Literal["json_object"]


class JsonSchemaFormat(_Request):
    """JSON that is valid against a schema; the model cannot write anything else."""

    type: Literal["json_schema"]
    json_schema: dict[str, Any] | bool = Field(
        alias="schema",
        description="JSON Schema. A keyword that cannot be enforced is refused, never ignored.",
        examples=[{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}],
    )


def _unwrapped(value: object) -> object:
    """OpenAI's `{"type": "json_schema", "json_schema": {"name": ..., "schema": {...}}}` as ours."""
    match value:
        case {"type": "json_schema", "json_schema": {"schema": schema}, **others} if not others:
            return {"type": "json_schema", "schema": schema}
        case _:
            return value


ResponseFormat = Annotated[
    Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")],
    BeforeValidator(_unwrapped),
]


class CompletionRequest(CountedMistakes, _Request):
    """A question or a conversation, as one of `prompt` and `messages`, and how to answer it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"prompt": "Hello, how are you?", "max_tokens": 100, "temperature": 0.7}]
        }
    )

    prompt: str | None = Field(
        None,
        min_length=1,
        max_length=4_000_000,
        description="What is asked. It is put to the model as a user's message, in the model's own chat "
        "template; with `raw` the model continues it as it stands.",
        examples=["Hello, how are you?"],
    )
    messages: list[Message] | None = Field(
        None, min_length=1, max_length=1000, description="A conversation; the model says what comes next."
    )
    raw: bool = Field(False, description="Continue `prompt` without a chat template, as a base model does.")
    model: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="Name of the model, for callers that want to be sure; `GET /v1/models` lists them.",
        examples=["smollm2-135m-instruct"],
    )
    max_tokens: int | None = Field(
        None,
        ge=1,
        le=MAX_TOKENS,
        description="Most tokens written. Together with the prompt they have to fit the model's context. "
        f"Without it, {DEFAULT_MAX_TOKENS} or what the context has left.",
        examples=[100],
    )
    temperature: float = Field(
        0.7,
        ge=0,
        le=2,
        description="0 always takes the likeliest token, higher values vary more.",
        examples=[0.7],
    )
    top_p: float = Field(
        0.95,
        gt=0,
        le=1,
        description="Only the likeliest tokens that make up this much probability are drawn from.",
        examples=[0.95],
    )
    stop: StopText | Annotated[list[StopText], Field(max_length=MAX_STOPS)] = Field(
        [], description="Writing ends before any of these texts.", examples=[["\n\n"]]
    )
    seed: int | None = Field(
        None,
        ge=0,
        le=2**32 - 2,
        description="The same seed and request give the same text on the same machine.",
        examples=[42],
    )
    response_format: ResponseFormat = Field(
        TextFormat(type="text"), description="`text`, any JSON object, or JSON by a schema."
    )
    stream: bool = Field(
        False,
        description="Answer as server-sent events: `delta` with a piece of `text`, at the end `done` with "
        "everything else, or `error` with a problem document.",
    )

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give exactly one of `prompt` and `messages`")
        if self.raw and self.prompt is None:
            raise ValueError("`raw` continues a `prompt`; it does not go with `messages`")
        return self

    @property
    def stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else list(self.stop)


class FinishReason(StrEnum):
    """Why writing ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


class Usage(_Answer):
    """Tokens of this request."""

    prompt_tokens: int = Field(description="Read, the chat template included.", examples=[36])
    completion_tokens: int = Field(description="Written.", examples=[24])
    total_tokens: int = Field(description="Both together.", examples=[60])


class Timings(_Answer):
    """Where the time went, in milliseconds."""

    queue_ms: float = Field(description="Waiting for a free slot.", examples=[0.1])
    first_token_ms: float = Field(
        description="From the arrival of the request to the first token.", examples=[120.5]
    )
    total_ms: float = Field(
        description="From the arrival of the request to the last token.", examples=[310.2]
    )
    tokens_per_second: float = Field(
        description="Tokens written a second, once writing had begun.", examples=[118.4]
    )


class CompletionEnd(_Answer):
    """Everything but the text: the data of the event `done`."""

    id: str = Field(description="Id of this answer.", examples=["chatcmpl-w3UQV4Qow6SM0Sfs7hpEzjgy4KmCkLat"])
    model: str = Field(description="Model that answered.", examples=["smollm2-135m-instruct"])
    finish_reason: FinishReason = Field(
        description="`stop`: the model was done or met a stop text. `length`: `max_tokens` were written; "
        "JSON may then be incomplete.",
        examples=["stop"],
    )
    usage: Usage
    timings: Timings


class CompletionAnswer(CompletionEnd):
    """The answer when it is not streamed."""

    text: str = Field(description="What the model wrote.", examples=["Hello! I'm well, thank you."])
    reasoning: str | None = Field(
        None, description="What a reasoning model thought before it answered, when it shows it."
    )


class CompletionDelta(_Answer):
    """The data of an event `delta`."""

    text: str = Field(description="The next piece; all pieces joined are the whole text.", examples=["Hel"])


class _OpenAiRequest(CountedMistakes):
    """OpenAI's request: what is common is described; more is known to the engine, or refused by it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    model: str | None = Field(
        None,
        max_length=256,
        description="Name from `GET /v1/models`; without it, the first one there.",
        examples=["smollm2-135m-instruct"],
    )
    max_tokens: int | None = Field(
        None,
        ge=0,
        le=MAX_TOKENS,
        description="Most tokens written; otherwise what the context holds.",
    )
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="0 always takes the likeliest token, higher values vary more; without it, the engine's own.",
    )
    top_p: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Only the likeliest tokens that make up this much probability are drawn from; without it, "
        "the engine's own.",
    )
    n: int | None = Field(None, ge=1, le=128, description="Answers; each takes a slot.")
    stop: str | Annotated[list[str], Field(max_length=MAX_STOPS)] | None = Field(
        None, description=f"A text or up to {MAX_STOPS}; writing ends before any of them."
    )
    seed: int | None = Field(
        None,
        ge=-(2**63),
        lt=2**63,
        description="The same seed and request give the same text on the same machine.",
    )
    stream: bool | None = Field(
        False, description="Answer as server-sent events: OpenAI's chunks, then `[DONE]`."
    )
    stream_options: dict[str, Any] | None = Field(
        None,
        description="With `include_usage: true` a stream has one more chunk, with `usage` and no choices.",
        examples=[{"include_usage": True}],
    )


class ChatCompletionRequest(_OpenAiRequest):
    """OpenAI's chat completion."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"messages": [{"role": "user", "content": "Hello, how are you?"}]}]}
    )

    messages: list[dict[str, Any]] = Field(
        min_length=1,
        max_length=10_000,
        description="The conversation, oldest first, in OpenAI's form. `content` is a text or a list of text "
        "parts; the built-in engine refuses pictures and sound.",
    )
    max_completion_tokens: int | None = Field(
        None,
        ge=1,
        le=MAX_TOKENS,
        description="OpenAI's newer name of `max_tokens`; it counts if both are given.",
    )
    response_format: dict[str, Any] | None = Field(
        None, description="`text`, `json_object` or `json_schema`; the schema is enforced."
    )
    tools: list[dict[str, Any]] | None = Field(
        None,
        max_length=128,
        description="Functions that the model may ask for, in OpenAI's form. All together, the built-in engine "
        "takes 2,000 JSON values, and 256 alternatives (enum, anyOf, oneOf, several types).",
    )
    tool_choice: str | dict[str, Any] | None = Field(
        None,
        description="`auto` (default): the model decides; `none`; `required`, if the model's chat template knows "
        "tools. An object that names a function counts as `auto` in the built-in engine.",
    )


class TextCompletionRequest(_OpenAiRequest):
    """OpenAI's (legacy) completion: the model continues the prompt as it stands."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"prompt": "Once upon a time"}]})

    prompt: str = Field(min_length=1, description="What the model continues, without a chat template.")
    max_tokens: int | None = Field(
        16,
        ge=1,
        description="Most tokens of the continuation, which seldom ends by itself. OpenAI's default.",
    )
    max_completion_tokens: int | None = Field(
        None, ge=1, le=MAX_TOKENS, description="Another name of `max_tokens`; it counts if both are given."
    )


class ModelCard(BaseModel):
    """A model that can be called."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str = Field(description="What requests call it in `model`.", examples=["smollm2-135m-instruct"])
    object: Literal["model"] = "model"
    created: int = Field(description="Unix time at which it was loaded.", examples=[1795349825])
    owned_by: str = Field(
        "ai-semble", description="Always `ai-semble`, whoever made the model.", examples=["ai-semble"]
    )
    context: int | None = Field(
        None, description="Tokens that prompt and answer may have together.", examples=[4096]
    )


class ModelList(_Answer):
    """OpenAI's list of models."""

    object: Literal["list"] = "list"
    data: tuple[ModelCard, ...]
