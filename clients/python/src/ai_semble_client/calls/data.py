"""Calls of data processing, and datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ai_semble_client.answers.base import Answer
from ai_semble_client.answers.data import DataAnswer, Dataset
from ai_semble_client.calls.call import Call, given, nothing, reading, words
from ai_semble_client.errors import UnusableFile

Table = str | Sequence[Mapping[str, Any]]


class _Listed(Answer):
    datasets: tuple[Dataset, ...]


def process(operation: str, data: Table | None = None, **options: Any) -> Call[DataAnswer]:
    """One operation on a dataset, by its name, or on records; `options` are the API's for it.

    With `output`, the rows become a dataset; such a call is not tried again unless it replaces.
    """
    body = given(operation=operation, data=_table(data), **options)
    output = body.get("output")
    repeatable = output is None or bool(output.get("replace"))
    return Call("POST", "/data/process", reading(DataAnswer), json=body, repeatable=repeatable)


def sql(query: str, data: Table | None = None, *, limit: int | None = None) -> Call[DataAnswer]:
    """One SELECT; datasets are tables by their names, `data` is the table `input`."""
    return process("sql", data, **given(query=query, limit=limit))


def profile(data: Table, *, columns: Sequence[str] | None = None) -> Call[DataAnswer]:
    """What is in each column."""
    return process("analyze", data, **given(columns=None if columns is None else list(columns)))


def datasets() -> Call[tuple[Dataset, ...]]:
    """Every dataset, by name."""
    return Call("GET", "/data/datasets", lambda body: _Listed.model_validate_json(body).datasets)


def dataset(name: str) -> Call[Dataset]:
    """A dataset with its rows and columns."""
    return Call("GET", _path(name), reading(Dataset))


def upload(
    name: str,
    file: str | Path,
    *,
    format: str | None = None,
    encoding: str | None = None,
    replace: bool = False,
) -> Call[Dataset]:
    """Keep a file as a dataset; it is sent as a stream, whatever its length."""
    path = Path(file)
    if not path.is_file():
        raise UnusableFile(
            f"{path} is no file", "Give the path of a CSV, JSON, Parquet, Arrow or Excel file."
        )
    params = words(format=format, encoding=encoding, replace=replace)
    return Call("PUT", _path(name), reading(Dataset), params=params, upload=path, repeatable=replace)


def download(name: str, *, format: str | None = None, compression: str | None = None) -> Call[bytes]:
    """The rows of a dataset as a file, as stored or in another format."""
    return Call("GET", f"{_path(name)}/content", bytes, params=words(format=format, compression=compression))


def delete_dataset(name: str) -> Call[None]:
    """Delete a dataset."""
    return Call("DELETE", _path(name), nothing, repeatable=False)


def _path(name: str) -> str:
    return f"/data/datasets/{quote(name, safe='')}"


def _table(data: Table | None) -> Mapping[str, Any] | None:
    match data:
        case None:
            return None
        case str():
            return {"dataset": data}
        case _:
            return {"records": [dict(record) for record in data]}
