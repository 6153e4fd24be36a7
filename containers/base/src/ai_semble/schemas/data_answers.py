"""What the data processor answers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from ai_semble.schemas.data_parts import Compression, Format


class ColumnInfo(BaseModel):
    """One column."""

    name: str = Field(examples=["amount"])
    type: str = Field(description="Type in DuckDB's words.", examples=["DOUBLE"])


class DatasetColumn(ColumnInfo):
    """One column of a dataset."""

    nulls: int | None = Field(None, description="Rows without a value.")


class Dataset(BaseModel):
    """A dataset, as the list shows it."""

    name: str = Field(examples=["sales-2026"])
    format: Format
    compression: Compression
    bytes: int = Field(description="Size of its file.")
    created: str = Field(description="When its present content was written, ISO 8601.")


class DatasetDescription(Dataset):
    """A dataset with its columns. A file that was put into the folder by hand is read as a whole at first."""

    rows: int
    columns: list[DatasetColumn]


class DatasetList(BaseModel):
    """All datasets, by name."""

    datasets: list[Dataset]


class Rows(BaseModel):
    """How many rows there are, and how many of them are in the answer."""

    total: int
    returned: int
    truncated: bool = Field(description="Whether there are more rows than the answer has.")


class Timings(BaseModel):
    """Where the time went, in milliseconds."""

    queued_ms: float = Field(description="Waiting for its turn.")
    read_ms: float = Field(description="Opening the data; inline records are read here.")
    compute_ms: float = Field(description="Computing, and writing the dataset if one was asked for.")
    total_ms: float


class Table(BaseModel):
    """Rows. NaN and infinity are null; integers and decimals have all their digits; dates are ISO 8601."""

    columns: list[ColumnInfo]
    records: list[dict[str, Any]]


class NumberSummary(BaseModel):
    """Figures of a numeric column; of the finite values."""

    mean: float | None
    stddev: float | None = Field(description="Of the sample (n - 1).")
    quantiles: dict[str, float | None] = Field(
        examples=[{"0.05": 1, "0.25": 3, "0.5": 5, "0.75": 7, "0.95": 9}]
    )


class TextSummary(BaseModel):
    """Lengths of texts, in characters."""

    min_length: int | None
    mean_length: float | None
    max_length: int | None


class Frequency(BaseModel):
    """A value and how often it occurs."""

    value: Any
    count: int


class Bar(BaseModel):
    """One bar of a histogram: `from` is included, `to` only in the last bar."""

    from_: Any = Field(alias="from")
    to: Any
    count: int


class Finding(BaseModel):
    """Something worth a look."""

    code: Literal[
        "constant",
        "mostly_null",
        "all_null",
        "mixed_types",
        "high_cardinality",
        "unique",
        "skewed",
        "outliers",
        "blank_texts",
        "surrounding_spaces",
        "numbers_as_text",
        "not_finite",
        "duplicate_rows",
    ]
    message: str


class ColumnProfile(ColumnInfo):
    """What is in one column."""

    nulls: int
    null_fraction: float
    distinct: int
    distinct_is_estimate: bool = Field(
        description="Above 1,000,000 rows distinct values are estimated, within about 2 %."
    )
    min: Any = None
    max: Any = None
    numbers: NumberSummary | None = Field(None, description="For numeric columns.")
    text: TextSummary | None = Field(None, description="For text columns.")
    top: list[Frequency] = Field(
        description="Most frequent values first; estimated where distinct values are."
    )
    histogram: list[Bar] | None = Field(None, description="For numbers, dates and times.")
    warnings: list[Finding]


class Profile(BaseModel):
    """What is in a table."""

    rows: int
    columns: list[ColumnProfile]
    duplicate_rows: int | None = Field(
        None, description="Rows that are equal to an earlier one; null above 1,000,000 rows."
    )
    warnings: list[Finding]


class ProfileResult(BaseModel):
    """Answer of `analyze`."""

    profile: Profile


class BrokenRow(BaseModel):
    """A row that breaks a rule."""

    row: int = Field(description="Its number in the data, from 1.")
    values: dict[str, Any]


class Violation(BaseModel):
    """A rule that is broken."""

    rule: str
    check: str
    count: int = Field(description="Rows that break it.")
    rows: list[BrokenRow]


class ValidationResult(BaseModel):
    """Answer of `validate`. Rules that hold everywhere are not listed."""

    valid: bool
    rules: int = Field(description="Rules checked.")
    violations: list[Violation]


class DatasetResult(BaseModel):
    """Answer when the rows were written as a dataset."""

    columns: list[ColumnInfo]
    dataset: Dataset


class ProcessAnswer(BaseModel):
    """Answer of `POST /data/process`."""

    operation: str
    result: Table | ProfileResult | ValidationResult | DatasetResult
    rows: Rows
    timings: Timings
