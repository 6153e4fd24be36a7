"""Which function does which operation."""

from __future__ import annotations

from typing import Any, TypeAlias, assert_never

import ibis

from ai_semble.errors import AiSembleError, FieldProblem, InvalidRequest
from ai_semble.schemas import data as asked
from ai_semble.schemas.data_parts import Data, InlineRecords, StoredDataset
from data_processor.engine.session import Session
from data_processor.errors import DataRequired
from data_processor.operations import grouping, joining, shaping, sql
from data_processor.operations.checking import validate_rows
from data_processor.operations.frame import Frame
from data_processor.operations.profiling import profile

Operation: TypeAlias = (
    asked.Filter
    | asked.Select
    | asked.Derive
    | asked.Sort
    | asked.AggregateRows
    | asked.Join
    | asked.Pivot
    | asked.Deduplicate
    | asked.FillNulls
    | asked.Sample
    | asked.Convert
    | asked.Sql
    | asked.Validate
    | asked.Analyze
    | asked.Pipeline
)


def apply(operation: Operation, frame: Frame | None, session: Session) -> Frame | dict[str, Any]:
    """The table that an operation makes; of `analyze` and `validate`, the members of their result.

    `frame` may be None for SQL that reads only datasets. Raises the errors of `data_processor.errors`.
    """
    if isinstance(operation, asked.Pipeline):
        return _apply_all(operation, frame, session)
    if isinstance(operation, asked.Sql):
        return sql.run_sql(operation, frame, session)
    if frame is None:
        raise DataRequired(f"`{operation.operation}` needs `data`")
    match operation:
        case asked.Validate():
            return validate_rows(operation, frame.table, session)
        case asked.Analyze():
            return {"profile": profile(operation, frame, session)}
        case _:
            return _reshape(operation, frame, session)


def _apply_all(pipeline: asked.Pipeline, frame: Frame | None, session: Session) -> Frame | dict[str, Any]:
    last = len(pipeline.steps) - 1
    result: Frame | dict[str, Any] | None = frame
    for number, step in enumerate(pipeline.steps):
        if number < last and isinstance(step, asked.Analyze | asked.Validate):
            sentence = f"`{step.operation}` makes no table, so it can only be the last step"
            raise InvalidRequest(sentence, fields=[FieldProblem(f"steps.{number}", sentence)])
        assert not isinstance(result, dict)  # noqa: S101 - only the last step's is
        result = _apply_step(step, result, session, number)
    assert result is not None  # noqa: S101 - there is at least one step
    return result


def _apply_step(
    step: Operation, frame: Frame | None, session: Session, number: int
) -> Frame | dict[str, Any]:
    try:
        return apply(step, frame, session)
    except AiSembleError as error:
        error.detail = f"Step {number + 1} ({step.operation}): {error.detail}"
        raise


def _reshape(operation: Any, frame: Frame, session: Session) -> Frame:  # noqa: PLR0911 - one line an operation
    match operation:
        case asked.Filter():
            return shaping.filter_rows(operation, frame, session)
        case asked.Select():
            return shaping.select_columns(operation, frame)
        case asked.Derive():
            return shaping.derive_columns(operation, frame, session)
        case asked.Sort():
            return shaping.sort_rows(operation, frame)
        case asked.Sample():
            return shaping.sample_rows(operation, frame, session)
        case asked.Convert():
            return shaping.convert_types(operation, frame)
        case asked.FillNulls():
            return shaping.fill_nulls(operation, frame, session)
        case asked.AggregateRows():
            return grouping.aggregate_rows(operation, frame, session)
        case asked.Pivot():
            return grouping.pivot_table(operation, frame, session)
        case asked.Deduplicate():
            return grouping.deduplicate_rows(operation, frame, session)
        case asked.Join():
            return joining.join_tables(operation, frame, table_of(operation.right, session))
        case _:
            raise AssertionError(operation)


def table_of(data: Data, session: Session) -> ibis.Table:
    """The table that a `data` member names. Raises UnknownDataset."""
    match data:
        case InlineRecords():
            return session.records(data.records)
        case StoredDataset():
            return session.dataset(data.dataset)
        case _:
            assert_never(data)
