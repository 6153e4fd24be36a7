"""What /webhooks takes and answers: who is told of the ends of runs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from ai_semble.schemas.workflows import WorkflowName


class RunEnd(StrEnum):
    """How a run can end."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class WebhookRequest(BaseModel):
    """Where the ends of runs are told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(
        min_length=1,
        max_length=8192,
        description="Where to, of a host of `workflows.http_hosts`.",
        examples=["https://example.com/hooks/ai-semble"],
    )
    workflow: WorkflowName | None = Field(None, description="Only runs of this workflow.")
    ends: list[RunEnd] = Field(
        [RunEnd.SUCCEEDED, RunEnd.FAILED, RunEnd.CANCELLED],
        min_length=1,
        max_length=3,
        description="Only runs that end so.",
    )


class Delivery(BaseModel):
    """One message."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(
        description="The same in every attempt, as `webhook-id`.", examples=["msg_9f86d081884c7d65"]
    )
    created_at: datetime = Field(description="When the run ended.")
    attempts: int = Field(description="How often it was sent.", examples=[1])
    next_at: datetime | None = Field(
        description="When it is sent next; null when it arrived, or was given up."
    )
    delivered_at: datetime | None = Field(description="When it arrived.")
    problem: str | None = Field(description="What went wrong last.")


class Webhook(BaseModel):
    """A webhook, and its last messages."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="Its name.", examples=["office"])
    owner: str | None = Field(
        description="Id of the API key that made it, whose runs are told; null without one, then all are."
    )
    url: str = Field(description="Where to.")
    workflow: str | None = Field(description="Only runs of this workflow.")
    ends: tuple[RunEnd, ...] = Field(description="Only runs that end so.")
    disabled: bool = Field(
        description="The receiver has answered 410, so it is sent nothing more until it is put anew."
    )
    created_at: datetime = Field(description="When it was made.")
    secret: str | None = Field(
        None,
        description="What messages are signed with; told when it is made, and when it is rotated.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    deliveries: tuple[Delivery, ...] = Field((), description="Its last messages, newest first; 20 at most.")


class WebhookList(BaseModel):
    """All webhooks, by name, without their messages."""

    model_config = ConfigDict(frozen=True)

    webhooks: tuple[Webhook, ...]
