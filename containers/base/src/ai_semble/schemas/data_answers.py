"""What the data processor answers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from ai_semble.schemas.data_parts import Compression, Format


class ColumnInfo(BaseModel):
    """One column."""

    name: str = Field(
        description="Unique in its table, even without regard to upper and lower case.", examples=["amount"]
    )
    type: str = Field(description="Type in DuckDB's words.", examples=["DOUBLE"])


class DatasetColumn(ColumnInfo):
    """One column of a dataset."""

    nulls: int | None = Field(None, description="Rows without a value.")


class Dataset(BaseModel):
    """A dataset, as the list shows it."""

    name: str = Field(description="What requests call it, at most 64 characters.", examples=["sales-2026"])
    format: Format = Field(description="Format of its file.")
    compression: Compression = Field(
        description="Of the file as a whole; parquet, arrow and xlsx compress by themselves and have `none`."
    )
    bytes: int = Field(description="Size of its file.")
    created: str = Field(description="When its present content was written, ISO 8601.")


class DatasetDescription(Dataset):
    """A dataset with its columns. A file that was put into the folder by hand is read as a whole at first."""

    rows: int = Field(description="How many it has; a header line is none.")
    columns: list[DatasetColumn]


class DatasetList(BaseModel):
    """All datasets, by name."""

    datasets: list[Dataset]


class Rows(BaseModel):
    """How many rows there are, and how many of them are in the answer."""

    total: int = Field(
        description="Rows of the result before `limit`; rows read by `analyze` and `validate`, and rows "
        "written with `output`."
    )
    returned: int = Field(description="Rows in `records`; 0 if the result has none.")
    truncated: bool = Field(description="Whether there are more rows than the answer has.")


class Timings(BaseModel):
    """Where the time went, in milliseconds."""

    queue_ms: float = Field(description="Waiting for its turn.")
    read_ms: float = Field(description="Opening the data; inline records are read here.")
    compute_ms: float = Field(description="Computing, and writing the dataset if one was asked for.")
    total_ms: float = Field(description="The three together.")


class Table(BaseModel):
    """Rows. NaN and infinity are null; integers and decimals have all their digits; dates are ISO 8601."""

    columns: list[ColumnInfo]
    records: list[dict[str, Any]] = Field(
        description="One object a row: column -> value. As many as `limit` and `data.max_rows` of the "
        "configuration allow."
    )


class NumberSummary(BaseModel):
    """Figures of a numeric column; of the finite values."""

    mean: float | None = Field(description="Null without finite values.")
    stddev: float | None = Field(description="Of the sample (n - 1).")
    quantiles: dict[str, float | None] = Field(
        description="Share of the values that are not larger -> value, interpolated; above 1,000,000 rows "
        "estimated. Null without finite values.",
        examples=[{"0.05": 1, "0.25": 3, "0.5": 5, "0.75": 7, "0.95": 9}],
    )


class TextSummary(BaseModel):
    """Lengths of texts, in Unicode code points."""

    min_length: int | None = Field(description="Of the shortest text; null without texts.")
    mean_length: float | None = Field(description="Of all texts; null without texts.")
    max_length: int | None = Field(description="Of the longest text; null without texts.")


class Frequency(BaseModel):
    """A value and how often it occurs."""

    value: Any = Field(description="As in `records`; rows without a value are not counted.")
    count: int = Field(description="Rows that have it, counted exactly.")


class Bar(BaseModel):
    """One bar of a histogram: `to` is included, `from` only in the first bar."""

    from_: Any = Field(
        alias="from",
        description="Lower bound: a number, or a date or a date and time (to the second) as ISO 8601 text. "
        "The first is the smallest finite value.",
    )
    to: Any = Field(description="Upper bound, in the same form. The last is the largest finite value.")
    count: int = Field(description="Rows whose value lies between.")


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
    ] = Field(
        description="`constant`: one value only. `mostly_null`: more than half of the rows have no value. "
        "`all_null`: none has. `mixed_types`: JSON of several types, or texts of which more than half, but "
        "not all, are numbers. `high_cardinality`: more than 95 % of the texts differ. `unique`: all values "
        "differ. `skewed`: Pearson's second coefficient is beyond 1 or -1. `outliers`: values lie further from "
        "the middle half than three times its width. `blank_texts`: white space only. `surrounding_spaces`: "
        "white space at an end. `numbers_as_text`: all texts are numbers. `not_finite`: NaN or infinite. "
        "`duplicate_rows`: equal to an earlier one. `high_cardinality`, `unique`, `skewed` and `outliers` "
        "are only found among at least 20 values."
    )
    message: str = Field(
        description="The same as an English sentence, with the numbers.",
        examples=["3 values with spaces before or after the text"],
    )


class ColumnProfile(ColumnInfo):
    """What is in one column."""

    nulls: int = Field(description="Rows without a value.")
    null_fraction: float = Field(
        description="`nulls` among all rows, 0 to 1, to six places; 0 if there are no rows."
    )
    distinct: int = Field(description="Different values; null is not one.")
    distinct_is_estimate: bool = Field(
        description="Above 1,000,000 rows distinct values are estimated, within about 2 %."
    )
    min: Any = Field(
        None,
        description="Smallest value, of texts by their code points. Null without values, and for lists, "
        "objects, JSON and binary.",
    )
    max: Any = Field(
        None, description="Largest value, likewise; null also if it is NaN or infinite: NaN is the largest."
    )
    numbers: NumberSummary | None = Field(None, description="For numeric columns.")
    text: TextSummary | None = Field(None, description="For text columns.")
    top: list[Frequency] = Field(
        description="Most frequent values first; estimated where distinct values are."
    )
    histogram: list[Bar] | None = Field(None, description="For numbers, dates and times.")
    warnings: list[Finding]


class Profile(BaseModel):
    """What is in a table."""

    rows: int = Field(description="Rows of the table.")
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
    values: dict[str, Any] = Field(description="The whole row: column -> value, as in `records`.")


class Violation(BaseModel):
    """A rule that is broken."""

    rule: str = Field(
        description="`name` of the rule; if it has none, its columns or expression and its check.",
        examples=["email: matches"],
    )
    check: str = Field(description="`check` of the rule.", examples=["matches"])
    count: int = Field(description="Rows that break it.")
    rows: list[BrokenRow]


class ValidationResult(BaseModel):
    """Answer of `validate`. Rules that hold everywhere are not listed."""

    valid: bool = Field(description="Whether no rule is broken.")
    rules: int = Field(description="Rules checked.")
    violations: list[Violation]


class DatasetResult(BaseModel):
    """Answer when the rows were written as a dataset."""

    columns: list[ColumnInfo]
    dataset: Dataset


class ProcessAnswer(BaseModel):
    """Answer of `POST /data/process`."""

    operation: str = Field(description="The operation that was asked for.", examples=["filter"])
    result: Table | ProfileResult | ValidationResult | DatasetResult = Field(
        description="`profile` of `analyze`, `violations` of `validate`, of all others `dataset` with "
        "`output` and `records` without. What a pipeline's last step makes."
    )
    rows: Rows
    timings: Timings
