"""What the data processor offers."""

from __future__ import annotations

from typing import get_args

from ai_semble.schemas.data import ProcessRequest
from ai_semble.schemas.data_answers import DatasetDescription, DatasetList, ProcessAnswer
from ai_semble.schemas.data_parts import Compression, Format
from orchestrator.operations.operation import BODY, GATEWAY, Codes, Content, Operation, join, text_in

_RECORDS = [{"id": 1, "value": 100}]
_EXAMPLES = {
    "profile records": {"operation": "analyze", "data": {"records": _RECORDS}},
    "sum by group": {
        "operation": "aggregate",
        "data": {"dataset": "sales-2026"},
        "group_by": ["region"],
        "aggregates": {"total": {"function": "sum", "column": "amount"}},
    },
    "SQL over datasets": {
        "operation": "sql",
        "query": 'SELECT region, count(*) FROM "sales-2026" GROUP BY 1',
    },
}
_NAME = text_in("path", "name", "Name of the dataset.", required=True, examples=["sales-2026"])
_NAMED: Codes = {422: ("invalid_dataset_name",)}
_FOUND: Codes = {404: ("unknown_dataset",), **_NAMED}
_READ: Codes = {
    415: ("unknown_format",),
    422: ("unreadable_data", "empty_data", "wrong_encoding"),
    507: ("insufficient_storage", "spill_limit_exceeded"),
}
_FORM = {
    "type": "object",
    "required": ["request", "file"],
    "properties": {
        "request": {"type": "string", "description": "The request as JSON, without `data`."},
        "file": {"type": "string", "format": "binary", "description": "The table, in any known format."},
    },
}
_FILE_TYPES = (
    "text/csv",
    "text/tab-separated-values",
    "application/json",
    "application/x-ndjson",
    "application/vnd.apache.parquet",
    "application/vnd.apache.arrow.file",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/gzip",
    "application/zstd",
    "application/octet-stream",
)

_PROCESS = Operation(
    method="POST",
    path="/data/process",
    service="data-processor",
    tag="Data",
    summary="Process data",
    description="Profile, filter, select, derive, sort, aggregate, join, pivot, deduplicate, fill, sample, "
    "validate, convert, SQL, or a pipeline of these; on records, an uploaded file, or a dataset.",
    requests=(
        Content("application/json", ProcessRequest, examples=_EXAMPLES),
        Content("multipart/form-data", schema=_FORM),
    ),
    answers=(Content("application/json", ProcessAnswer),),
    codes=join(
        GATEWAY,
        BODY,
        _READ,
        {
            404: ("unknown_dataset",),
            409: ("dataset_exists",),
            422: (
                "data_required",
                "unknown_column",
                "type_mismatch",
                "invalid_expression",
                "invalid_sql",
                "sql_not_allowed",
                "computation_failed",
                "memory_limit_exceeded",
                "result_too_large",
            ),
            500: ("operation_crashed",),
        },
    ),
    may_be_job=True,
    unbounded=True,
)
_LIST = Operation(
    method="GET",
    path="/data/datasets",
    service="data-processor",
    tag="Data",
    summary="List datasets",
    description="Every dataset of the environment, by name.",
    answers=(Content("application/json", DatasetList),),
    codes=GATEWAY,
)
_DESCRIBE = Operation(
    method="GET",
    path="/data/datasets/{name}",
    service="data-processor",
    tag="Data",
    summary="Describe a dataset",
    description="Its format, size, rows and columns.",
    answers=(Content("application/json", DatasetDescription),),
    parameters=(_NAME,),
    codes=join(GATEWAY, _FOUND),
)
_UPLOAD = Operation(
    method="PUT",
    path="/data/datasets/{name}",
    service="data-processor",
    tag="Data",
    summary="Upload a dataset",
    description="The body is the file itself, of any length; it is checked before it becomes a dataset.",
    requests=tuple(Content(kind) for kind in _FILE_TYPES),
    answers=(Content("application/json", DatasetDescription),),
    statuses=(201, 200),
    parameters=(
        _NAME,
        text_in(
            "query", "format", "Format of the file, when its type does not tell.", enum=list(get_args(Format))
        ),
        text_in("query", "encoding", "Encoding of a text file; UTF-8 otherwise.", examples=["shift_jis"]),
        text_in(
            "query",
            "replace",
            "Whether a dataset of this name may be replaced.",
            type="boolean",
            default=False,
        ),
    ),
    codes=join(GATEWAY, BODY, _NAMED, _READ, {409: ("dataset_exists",)}),
    unbounded=True,
)
_DELETE = Operation(
    method="DELETE",
    path="/data/datasets/{name}",
    service="data-processor",
    tag="Data",
    summary="Delete a dataset",
    description="It is gone at once; calls that read it now end with it as it was.",
    statuses=(204,),
    parameters=(_NAME,),
    codes=join(GATEWAY, _FOUND),
)
_DOWNLOAD = Operation(
    method="GET",
    path="/data/datasets/{name}/content",
    service="data-processor",
    tag="Data",
    summary="Download a dataset",
    description="The rows as a file: as stored, or in another format.",
    answers=tuple(Content(kind) for kind in _FILE_TYPES),
    parameters=(
        _NAME,
        text_in("query", "format", "Another format than the stored one.", enum=list(get_args(Format))),
        text_in("query", "compression", "Another compression.", enum=list(get_args(Compression))),
    ),
    codes=join(GATEWAY, _FOUND, {422: ("invalid_request",), 507: ("insufficient_storage",)}),
)

DATA_OPERATIONS = (_PROCESS, _LIST, _DESCRIBE, _UPLOAD, _DELETE, _DOWNLOAD)
