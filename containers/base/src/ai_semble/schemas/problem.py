"""The one shape of every error (RFC 9457, with members of our own)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FieldError(BaseModel):
    """One refused field."""

    field: str = Field(description="Path of the field in the request.", examples=["max_tokens"])
    message: str = Field(description="Why it was refused.", examples=["Input should be greater than 0"])


class Problem(BaseModel):
    """application/problem+json: what went wrong, who says so, and what to do."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        description="URI of the kind of problem.", examples=["urn:ai-semble:problem:overloaded"]
    )
    title: str = Field(description="The kind of problem in words.", examples=["The service is busy"])
    status: int = Field(description="HTTP status.", examples=[503])
    detail: str = Field(description="What happened this time.")
    code: str = Field(description="Stable code for programs.", examples=["overloaded"])
    hint: str = Field(description="What to do about it.")
    request_id: str = Field(description="Also in `X-Request-ID` and in every log line of this request.")
    source: str = Field(description="The service that found the problem.", examples=["llm"])
    errors: list[FieldError] | None = Field(None, description="The refused fields, for `invalid_request`.")


class OpenAIError(Problem):
    """The same problem with the members that OpenAI's clients read."""

    message: str = Field(description="`detail` and `hint` in one.")
    type: str = Field(description="OpenAI's kind of error.", examples=["invalid_request_error"])
    param: str | None = Field(None, description="The first refused field.", examples=["max_tokens"])


class OpenAIProblem(BaseModel):
    """How an error looks under /v1."""

    error: OpenAIError = Field(description="The problem.")
