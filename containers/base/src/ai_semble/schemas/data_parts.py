"""What requests to the data processor are made of: tables, columns, values, and where answers go."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from ai_semble.schemas.data_conditions import Condition, ConditionText

Column = Annotated[str, Field(min_length=1, max_length=255, description="Name of a column.")]
Columns = Annotated[list[Column], Field(min_length=1, max_length=1000)]
Scalar: TypeAlias = str | int | float | bool | None
Where: TypeAlias = Condition | ConditionText

DATASET_NAME = r"^[^\W_A-Z][\w-]*$"
DatasetName = Annotated[
    str,
    Field(
        pattern=DATASET_NAME,
        max_length=64,
        description="Name of a dataset: lower-case letters of any script, digits, `_` and `-`.",
        examples=["sales-2026"],
    ),
]
Format = Literal["csv", "tsv", "json", "jsonl", "parquet", "arrow", "xlsx"]
Compression = Literal["none", "gzip", "zstd"]
TypeName = Annotated[
    str,
    Field(
        pattern=r"^(boolean|integer|number|string|date|datetime|time|json|decimal(\(\d{1,2}, ?\d{1,2}\))?)$",
        description="boolean, integer, number, decimal(digits,scale), string, date, datetime, time, json.",
        examples=["date", "decimal(12,2)"],
    ),
]


class Request(BaseModel):
    """Base of all request objects: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class InlineRecords(Request):
    """Rows in the request itself. Types are inferred; a missing key is a null."""

    records: list[dict[str, Any]] = Field(
        min_length=1,
        description="Rows as JSON objects; as many as the body limit allows.",
        examples=[[{"id": 1, "value": 100}]],
    )


class StoredDataset(Request):
    """A dataset of the environment."""

    dataset: DatasetName


def _kind_of_data(value: Any) -> str:
    keys = value if isinstance(value, dict) else getattr(value, "__dict__", ())
    return "dataset" if "dataset" in keys and "records" not in keys else "records"


Data = Annotated[
    Annotated[InlineRecords, Tag("records")] | Annotated[StoredDataset, Tag("dataset")],
    Discriminator(_kind_of_data),
]


class SortKey(Request):
    """One column to sort by."""

    column: Column
    descending: bool = Field(False, description="Largest first.")
    nulls: Literal["first", "last"] = Field("last", description="Where rows without a value go.")


class Aggregate(Request):
    """One figure computed over a group of rows."""

    function: Literal[
        "count",
        "count_distinct",
        "sum",
        "mean",
        "min",
        "max",
        "median",
        "quantile",
        "stddev",
        "variance",
        "first",
        "last",
        "mode",
        "any",
        "all",
        "list",
        "join",
    ] = Field(
        description="What is computed, of the values that are not null; `count` without column counts rows."
    )
    column: Column | None = Field(None, description="Of which column; only `count` can do without.")
    quantile: float = Field(0.5, ge=0, le=1, description="For `quantile`: which, 0 to 1.")
    separator: str = Field(", ", max_length=64, description="For `join`: what stands between the texts.")
    where: Where | None = Field(None, description="Only rows that fulfil this condition are taken.")


class Fill(Request):
    """What a null becomes."""

    value: Scalar = Field(None, description="This value. Give either `value` or `method`.")
    method: Literal["mean", "median", "mode", "min", "max", "forward", "backward"] | None = Field(
        None,
        description="The column's own mean, median, mode, min or max, or the nearest value before "
        "(`forward`) or after (`backward`) it, in the order of `order_by` or else of the rows.",
    )


class Conversion(Request):
    """A type, and how its text is written."""

    type: TypeName
    format: str | None = Field(
        None, max_length=100, description="For dates in text: strptime's codes.", examples=["%d/%m/%Y"]
    )


class Rename(Request):
    """A column under a new name."""

    column: Column
    as_: Column = Field(alias="as")


class JoinKey(Request):
    """Columns that must be equal."""

    left: Column
    right: Column


class Output(Request):
    """Where the answer is kept instead of being sent."""

    dataset: DatasetName
    format: Format = Field(
        "parquet",
        description="Format of the dataset's file. An xlsx holds 1,048,575 rows and 16,384 columns at most.",
    )
    compression: Compression = Field(
        "none", description="For csv, tsv, json and jsonl. The others compress by themselves."
    )
    replace: bool = Field(False, description="Whether a dataset of this name may be replaced.")
