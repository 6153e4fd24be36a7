"""What can be wrong with data, and with what is asked of it."""

from __future__ import annotations

from ai_semble.errors import AiSembleError, InsufficientStorage


class UnknownDataset(AiSembleError):
    """There is no dataset of this name in the environment."""

    code, status, title = "unknown_dataset", 404, "No such dataset"
    hint = (
        "GET /data/datasets lists the datasets; PUT /data/datasets/{name} uploads one. "
        "In SQL, `data` of the request is the table `input`."
    )


class DatasetExists(AiSembleError):
    """A dataset of this name exists, and it was not said that it may be replaced."""

    code, status, title = "dataset_exists", 409, "The dataset exists"
    hint = "Choose another name, or say `replace=true`."


class InvalidDatasetName(AiSembleError):
    """A name has lower-case letters of any script, digits, `_` and `-`, at most 64, no sign first."""

    code, status, title = "invalid_dataset_name", 422, "The dataset name is not valid"
    hint = "Use lower-case letters, digits, `_` and `-`, at most 64; begin with a letter or digit."


class UnknownFormat(AiSembleError):
    """It cannot be told which format the data has, or it is not one that is read."""

    code, status, title = "unknown_format", 415, "The format is not known"
    hint = "Say it as `?format=`: csv, tsv, json, jsonl, parquet, arrow or xlsx."


class UnreadableData(AiSembleError):
    """The file is not what its format says; the detail names the place where that is known."""

    code, status, title = "unreadable_data", 422, "The data could not be read"
    hint = "Correct the file at the place named, or name its true format."


class EmptyData(AiSembleError):
    """The file has no content, or a table without a single column."""

    code, status, title = "empty_data", 422, "The data is empty"
    hint = "Send at least a header, or one record with one field."


class WrongEncoding(AiSembleError):
    """Text is expected as UTF-8, and this is something else."""

    code, status, title = "wrong_encoding", 422, "The text is not UTF-8"
    hint = "Say the encoding when uploading, as `?encoding=shift_jis`, or save the file as UTF-8."


class DataRequired(AiSembleError):
    """The operation needs a table, and the request has none."""

    code, status, title = "data_required", 422, "There is no data"
    hint = 'Give `data` as {"records": [...]} or {"dataset": "name"}, or upload a file.'


class UnknownColumn(AiSembleError):
    """The table has no column of this name at this step; `columns` in the answer lists those it has."""

    code, status, title = "unknown_column", 422, "No such column"
    hint = "Names are compared exactly, upper and lower case included; `columns` lists them."


class TypeMismatch(AiSembleError):
    """A value, a column and what is done with them do not fit, such as text compared with a number."""

    code, status, title = "type_mismatch", 422, "The types do not fit"
    hint = "Change the column's type with `convert`, or give a value of the column's type."


class InvalidExpression(AiSembleError):
    """An expression cannot be parsed, or has something that expressions do not allow."""

    code, status, title = "invalid_expression", 422, "The expression is not valid"
    hint = (
        "The reference of expressions lists operators and functions; put odd column names in double quotes."
    )


class InvalidSql(AiSembleError):
    """The query cannot be parsed, or names something that does not exist."""

    code, status, title = "invalid_sql", 422, "The query is not valid"
    hint = "Correct the query at the place named; it is DuckDB's SQL."


class SqlNotAllowed(AiSembleError):
    """The query is more than one SELECT over datasets, or uses a function that is not allowed."""

    code, status, title = "sql_not_allowed", 422, "The query is not allowed"
    hint = "Send one SELECT that reads only datasets and `input`, and uses only functions that compute."


class ComputationFailed(AiSembleError):
    """A value could not be computed: a conversion of unfit text, an overflow, a failed function."""

    code, status, title = "computation_failed", 422, "A value could not be computed"
    hint = 'Filter such values out first, or convert them with `on_error: "null"` or `TRY_CAST`.'


class MemoryLimitExceeded(AiSembleError):
    """The operation needs more memory than one operation may have, even with intermediate results on disk."""

    code, status, title = "memory_limit_exceeded", 422, "The operation needs too much memory"
    hint = "Take fewer columns or rows, or raise `data.memory_limit` in the configuration."


class SpillLimitExceeded(InsufficientStorage):
    """The operation's intermediate results need more disk than they may have."""

    code, status, title = "spill_limit_exceeded", 507, "The operation needs too much disk"
    hint = "Take fewer columns or rows, or raise `data.spill_limit` in the configuration."


class ResultTooLarge(AiSembleError):
    """The rows of the answer are longer than an answer may be."""

    code, status, title = "result_too_large", 422, "The answer is too large"
    hint = "Lower `limit`, select fewer columns, or write the rows as a dataset with `output`."


class OperationCrashed(AiSembleError):
    """The process that computed this operation ended without an answer. Service and other requests go on."""

    code, status, title = "operation_crashed", 500, "The operation's process ended"
    hint = "Try with less data; report it with the `request_id` if it happens again."
