"""Conditions and expressions of the data processor."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

Expression = Annotated[
    str,
    Field(
        min_length=1,
        max_length=10_000,
        description="An expression over the columns of a row, as in SQL: operators, CASE, CAST and the "
        "functions that the reference lists. It cannot contain queries.",
        examples=["round(price * 1.1, 2)"],
    ),
]
ConditionText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=10_000,
        description="An expression that is true or false.",
        examples=["amount > 100 AND country = 'JP'"],
    ),
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Comparison(_Part):
    """One column compared with a value. As in SQL, a null fulfils nothing but `is_null`."""

    column: str = Field(
        min_length=1,
        max_length=255,
        description="The column whose value is compared; upper and lower case count.",
        examples=["amount"],
    )
    op: Literal[
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "in",
        "not_in",
        "between",
        "is_null",
        "not_null",
        "contains",
        "starts_with",
        "ends_with",
        "matches",
    ] = Field(
        description="`in`, `not_in` take a list, `between` a list of two (both included), `matches` a "
        "regular expression that is searched for, `is_null` and `not_null` no value."
    )
    value: Any = Field(None, description="Dates and times as ISO 8601 text.", examples=[100])


class AllOf(_Part):
    """All conditions hold."""

    and_: list[Condition] = Field(
        alias="and",
        min_length=1,
        max_length=1000,
        description="Conditions that must all be true; nested at most 50 levels deep.",
    )


class AnyOf(_Part):
    """At least one condition holds."""

    or_: list[Condition] = Field(
        alias="or",
        min_length=1,
        max_length=1000,
        description="Conditions of which one must be true; nested at most 50 levels deep.",
    )


class Not(_Part):
    """The condition does not hold."""

    not_: Condition = Field(
        alias="not",
        description="The condition that must be false. Where it is null, as with a null in the column, "
        "this one is null too, and the row does not fulfil it.",
    )


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return next((key for key in ("and", "or", "not") if key in value), "comparison")
    return {"AllOf": "and", "AnyOf": "or", "Not": "not"}.get(type(value).__name__, "comparison")


Condition: TypeAlias = Annotated[
    Annotated[Comparison, Tag("comparison")]
    | Annotated[AllOf, Tag("and")]
    | Annotated[AnyOf, Tag("or")]
    | Annotated[Not, Tag("not")],
    Discriminator(_kind),
]

for _model in (AllOf, AnyOf, Not):
    _model.model_rebuild()
