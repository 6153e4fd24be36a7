"""Answers of data processing."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from ai_semble_client.answers.base import Answer


class Column(Answer):
    """Its type is in DuckDB's words."""

    name: str
    type: str


class Dataset(Answer):
    """A dataset; rows and columns are None in a list."""

    name: str
    format: str
    compression: str
    bytes: int
    created: str
    rows: int | None = None
    columns: tuple[Column, ...] | None = None


class Violation(Answer):
    """A rule that does not hold, and how many rows break it."""

    rule: str
    check: str
    count: int


class DataAnswer(Answer):
    """What an operation makes.

    `records` of a table, `profile` of `analyze`, `valid` and `violations` of `validate`, `dataset` when the rows were
    written as one. `total` rows there are; `truncated` says that `records` has not all of them.
    """

    operation: str
    total: int
    truncated: bool
    columns: tuple[Column, ...] = ()
    records: tuple[dict[str, Any], ...] = ()
    dataset: Dataset | None = None
    profile: dict[str, Any] | None = None
    valid: bool | None = None
    violations: tuple[Violation, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        match value:
            case {"result": dict(result), "rows": {"total": total, "truncated": truncated}, **others}:
                return {**others, **result, "total": total, "truncated": truncated}
            case _:
                return value
