"""A request with more mistakes than anybody reads: they are counted, not described one by one.

pydantic tells of every mistake, at some microseconds each; a body of a few megabytes has a million of them, and the
event loop would do nothing else for seconds.
"""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import PydanticCustomError

MOST_DESCRIBED = 1000


class FewMembers(BaseModel):
    """Base of models that are parts of a request; one with thousands of members is not looked at any further."""

    @model_validator(mode="before")
    @classmethod
    def _check_members(cls, value: object) -> object:
        if isinstance(value, dict) and len(value) > MOST_DESCRIBED:
            raise PydanticCustomError(
                "too_many_members", "There are {count} members, too many to list", {"count": len(value)}
            )
        return value


class CountedMistakes(FewMembers):
    """Base of the models that are whole requests; not of their parts."""

    @model_validator(mode="wrap")
    @classmethod
    def _count_mistakes(cls, value: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            count = error.error_count()
            if count <= MOST_DESCRIBED:
                raise
        raise PydanticCustomError(
            "too_many_mistakes", "There are {count} mistakes, too many to list", {"count": count}
        )
