"""The base of all answers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """A frozen value. What a newer server adds stays in it."""

    model_config = ConfigDict(frozen=True, extra="allow")
