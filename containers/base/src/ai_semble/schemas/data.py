"""What is asked of the data processor: the operations of `POST /data/process`.

Their parts are in `data_parts.py` and `data_conditions.py`, the answers in `data_answers.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from ai_semble.schemas.data_conditions import Expression
from ai_semble.schemas.data_parts import (
    Aggregate,
    Column,
    Columns,
    Conversion,
    Data,
    Fill,
    JoinKey,
    Output,
    Rename,
    Request,
    Scalar,
    SortKey,
    TypeName,
    Where,
)
from ai_semble.schemas.mistakes import CountedMistakes


class Analyze(Request):
    """Profile every column: type, nulls, distinct values, range, mean, quantiles, top values, histogram."""

    operation: Literal["analyze"]
    columns: Columns | None = Field(None, description="Only these columns; all of them by default.")
    top: int = Field(10, ge=0, le=100, description="Most frequent values listed per column.")
    bins: int = Field(10, ge=0, le=100, description="Bars of each histogram; 0 for none.")


class Filter(Request):
    """Keep the rows that fulfil a condition."""

    operation: Literal["filter"]
    where: Where = Field(
        description="Rows stay for which this is true, not those for which it is false or null: an object, "
        "or text as in SQL."
    )


class Select(Request):
    """Keep, reorder, rename or drop columns."""

    operation: Literal["select"]
    columns: list[Column | Rename] | None = Field(
        None, min_length=1, max_length=1000, description="The columns to keep, in this order."
    )
    drop: Columns | None = Field(
        None, description="The columns to leave out. Give either `columns` or `drop`."
    )


class Derive(Request):
    """Add or replace columns by expressions."""

    operation: Literal["derive"]
    columns: dict[Column, Expression] = Field(
        min_length=1,
        max_length=200,
        description="New column -> expression. An expression sees the columns as they were before.",
        examples=[{"total": "price * quantity", "month": "date_trunc('month', day)"}],
    )


class Sort(Request):
    """Sort rows. Rows that are equal in all keys keep their order."""

    operation: Literal["sort"]
    by: list[Column | SortKey] = Field(
        min_length=1,
        max_length=50,
        description="What to sort by, the first key first. A name alone: smallest first, nulls last.",
        examples=[["country", {"column": "value"}]],
    )


class AggregateRows(Request):
    """Group rows and compute figures of each group."""

    operation: Literal["aggregate"]
    group_by: list[Column] = Field(
        [], max_length=50, description="Columns that make the groups; none for one group of all rows."
    )
    aggregates: dict[Column, Aggregate | Expression] = Field(
        min_length=1,
        max_length=200,
        description="New column -> figure, as an object or as an expression such as `sum(price * quantity)`.",
        examples=[{"orders": {"function": "count"}, "revenue": "sum(price * quantity)"}],
    )


class Join(Request):
    """Put rows of two tables together where their keys are equal."""

    operation: Literal["join"]
    right: Data = Field(description="The other table.")
    on: list[Column | JoinKey] = Field(
        [],
        max_length=20,
        description="Columns that must be equal; none for `cross`. Nulls are equal to nothing.",
    )
    how: Literal["inner", "left", "right", "full", "semi", "anti", "cross"] = Field(
        "inner",
        description="Which rows are in the answer. `inner`: pairs with equal keys; `left`, `right`, `full`: "
        "also the rows of that side, or of both, that have no partner; `semi`, `anti`: rows of the left "
        "table that have a partner, or none, without columns of the right; `cross`: every pair.",
    )
    suffix: str = Field(
        "_right",
        min_length=1,
        max_length=32,
        description="Added to columns of the right table whose name is taken.",
    )


class Pivot(Request):
    """Turn the values of one column into columns."""

    operation: Literal["pivot"]
    rows: list[Column] = Field([], max_length=50, description="Columns that identify a row of the answer.")
    column: Column = Field(description="The column whose values become columns.")
    values: Column = Field(description="The column whose values fill the cells.")
    function: Literal["sum", "mean", "min", "max", "count", "first"] = Field(
        "sum", description="How several values of one cell become one."
    )
    names: list[Scalar] | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="The values to make columns of; found by default (1,000 at most).",
    )


class Deduplicate(Request):
    """Keep one row of those that are equal."""

    operation: Literal["deduplicate"]
    columns: Columns | None = Field(None, description="Rows are equal if these columns are; all by default.")
    keep: Literal["first", "last"] = Field(
        "first", description="Which of the equal rows stays, in the order of `order_by`."
    )
    order_by: list[Column | SortKey] = Field(
        [], max_length=20, description="What first and last mean; the order of the rows by default."
    )


class FillNulls(Request):
    """Replace nulls."""

    operation: Literal["fill"]
    columns: dict[Column, Scalar | Fill] = Field(
        min_length=1,
        max_length=1000,
        description="Column -> value or method.",
        examples=[{"price": {"method": "mean"}}],
    )
    order_by: list[Column | SortKey] = Field(
        [], max_length=20, description="Order for `forward` and `backward`."
    )


class Sample(Request):
    """Take rows at random; the same seed takes the same rows."""

    operation: Literal["sample"]
    rows: int | None = Field(
        None, ge=1, le=10_000_000, description="How many. Give either `rows` or `fraction`."
    )
    fraction: float | None = Field(None, gt=0, le=1, description="Which share, about.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Another seed takes other rows.")


class Rule(Request):
    """What must hold. `check` says which of the other fields count."""

    check: Literal["not_null", "unique", "one_of", "range", "length", "matches", "type", "expression"] = (
        Field(
            description="`not_null`; `unique` (over `columns`); `one_of` (`values`); `range` and `length` "
            "(`min`, `max`, both included); `matches` (`pattern`, the whole text); `type` (the text can be read "
            "as `type`); `expression`."
        )
    )
    name: str | None = Field(None, max_length=100, description="Name in the answer; made up by default.")
    column: Column | None = Field(
        None, description="The column that is checked; every check but `expression` and `unique` needs it."
    )
    columns: Columns | None = Field(
        None, description="For `unique`: no two rows may be equal in all of these. Rows with a null are good."
    )
    values: list[Scalar] | None = Field(
        None, min_length=1, max_length=10_000, description="For `one_of`: what is allowed; a null always is."
    )
    min: Scalar = Field(
        None,
        description="For `range`: the smallest value that is good, dates and times as ISO 8601 text. "
        "For `length`: the fewest characters of a text or items of a list.",
    )
    max: Scalar = Field(
        None,
        description="For `range`: the largest value that is good, dates and times as ISO 8601 text. "
        "For `length`: the most characters of a text or items of a list.",
    )
    pattern: str | None = Field(
        None,
        max_length=1000,
        description="For `matches`: a regular expression (RE2) for the whole text; values of other types "
        "are matched as text.",
    )
    type: TypeName | None = Field(
        None, description="For `type`: what every value that is not null can be converted to."
    )
    expression: Expression | None = Field(None, description="True or null for a good row.")


class Validate(Request):
    """Check rules; the rows that break them are listed."""

    operation: Literal["validate"]
    rules: list[Rule] = Field(min_length=1, max_length=200)
    examples: int = Field(20, ge=0, le=1000, description="Rows listed per rule.")


class Convert(Request):
    """Change the types of columns; with `output`, also the format of a dataset."""

    operation: Literal["convert"]
    types: dict[Column, TypeName | Conversion] = Field(
        {},
        max_length=1000,
        description="Column -> new type; the other columns stay as they are.",
        examples=[{"amount": "decimal(12,2)", "day": {"type": "date", "format": "%d/%m/%Y"}}],
    )
    on_error: Literal["fail", "null"] = Field(
        "fail", description="What becomes of a value that does not fit."
    )


class Sql(Request):
    """One SELECT in DuckDB's SQL. Datasets are tables by their name; `data` is the table `input`."""

    operation: Literal["sql"]
    query: str = Field(
        min_length=1,
        max_length=100_000,
        description="One SELECT, which may begin with WITH. Names with `-` stand in double quotes. "
        "Only functions of a list may be called; none of them reads files or settings.",
        examples=["SELECT country, sum(amount) FROM sales GROUP BY country"],
    )


Step = Annotated[
    Filter
    | Select
    | Derive
    | Sort
    | AggregateRows
    | Join
    | Pivot
    | Deduplicate
    | FillNulls
    | Sample
    | Convert
    | Sql
    | Validate
    | Analyze,
    Field(discriminator="operation"),
]


class Pipeline(Request):
    """Several operations, each on the answer of the one before. `analyze` and `validate` can only be last."""

    operation: Literal["pipeline"]
    steps: list[Step] = Field(
        min_length=1,
        max_length=50,
        description="The operations in order, each without `data`, `output` and `limit`: those are given "
        "once, for the pipeline.",
    )


class Surroundings(CountedMistakes, Request):
    """What every operation has besides itself."""

    data: Data | None = Field(
        None,
        description="The table. Needed, except with an uploaded file, and by `sql` over datasets.",
    )
    output: Output | None = Field(
        None, description="Write the rows as a dataset; by default they are in the answer."
    )
    limit: int = Field(
        1000, ge=0, description="Rows in the answer; `data.max_rows` of the configuration at most."
    )


class AnalyzeRequest(Surroundings, Analyze): ...


class FilterRequest(Surroundings, Filter): ...


class SelectRequest(Surroundings, Select): ...


class DeriveRequest(Surroundings, Derive): ...


class SortRequest(Surroundings, Sort): ...


class AggregateRequest(Surroundings, AggregateRows): ...


class JoinRequest(Surroundings, Join): ...


class PivotRequest(Surroundings, Pivot): ...


class DeduplicateRequest(Surroundings, Deduplicate): ...


class FillRequest(Surroundings, FillNulls): ...


class SampleRequest(Surroundings, Sample): ...


class ValidateRequest(Surroundings, Validate): ...


class ConvertRequest(Surroundings, Convert): ...


class SqlRequest(Surroundings, Sql): ...


class PipelineRequest(Surroundings, Pipeline): ...


ProcessRequest = Annotated[
    AnalyzeRequest
    | FilterRequest
    | SelectRequest
    | DeriveRequest
    | SortRequest
    | AggregateRequest
    | JoinRequest
    | PivotRequest
    | DeduplicateRequest
    | FillRequest
    | SampleRequest
    | ValidateRequest
    | ConvertRequest
    | SqlRequest
    | PipelineRequest,
    Field(discriminator="operation"),
]


def process_request() -> TypeAdapter[ProcessRequest]:
    """Validates a `POST /data/process` body. Make it once: building it takes tens of milliseconds."""
    return TypeAdapter(ProcessRequest)
