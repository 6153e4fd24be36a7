"""Reads attributes and constants out of an ONNX file, without any ONNX library (they need 20 to 250 MB).

Only what a file of linear models holds is understood: nodes with their attributes, and initializers.
The wire format is protocol buffers; field numbers are those of onnx.proto3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Value = int | memoryview
_GRAPH = 7
_NODE, _INITIALIZER = 1, 5
_FLOAT, _INT64 = 1, 7
_SINGLE_FLOAT = 7 << 3 | 5  # key of an attribute's float that is not packed with others


@dataclass(frozen=True)
class Node:
    """One operator: its kind, the names of its outputs, and its attributes."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """Nodes in the order of the file, and constants by name."""

    nodes: tuple[Node, ...]
    constants: dict[str, npt.NDArray[Any]]


def read_graph(path: Path) -> Graph:
    """Read a file. Raises ValueError for what is not a readable ONNX model."""
    try:
        graph = next(value for field, value in _fields(memoryview(path.read_bytes())) if field == _GRAPH)
        parts = list(_fields(_bytes(graph)))
        return Graph(
            nodes=tuple(_node(_bytes(value)) for field, value in parts if field == _NODE),
            constants=dict(_tensor(_bytes(value)) for field, value in parts if field == _INITIALIZER),
        )
    except (IndexError, StopIteration, ValueError) as error:
        raise ValueError(f"{path.name} is not a readable ONNX model: {error}") from error


def _fields(data: memoryview) -> Iterator[tuple[int, Value]]:
    """The fields of one message: number and value, in order. A run of single floats comes as one value."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        if key == _SINGLE_FLOAT:
            run = _run_of_floats(data, position - 1)
            yield key >> 3, memoryview(run.tobytes())
            position += 5 * len(run) - 1
            continue
        match key & 7:
            case 0:
                value, position = _varint(data, position)
                yield key >> 3, value
            case 1 | 5 as wire:
                size = 8 if wire == 1 else 4
                yield key >> 3, data[position : position + size]
                position += size
            case 2:
                length, position = _varint(data, position)
                yield key >> 3, data[position : position + length]
                position += length
            case wire:
                raise ValueError(f"unknown wire type {wire}")


def _run_of_floats(data: memoryview, start: int) -> npt.NDArray[np.float32]:
    """Millions of floats, each with its own key byte: read as records of 5 bytes while the key repeats."""
    count = (len(data) - start) // 5
    records = np.frombuffer(data[start : start + 5 * count], dtype=[("key", "u1"), ("value", "<f4")])
    others = np.flatnonzero(records["key"] != _SINGLE_FLOAT)
    return records["value"][: others[0] if len(others) else count]


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7


def _bytes(value: Value) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message was expected")  # noqa: TRY004 - the file is wrong, not a type
    return value


def _text(value: Value) -> str:
    return str(_bytes(value), "utf-8")


def _node(data: memoryview) -> Node:
    parts = list(_fields(data))
    return Node(
        kind=next(_text(value) for field, value in parts if field == 4),
        inputs=tuple(_text(value) for field, value in parts if field == 1),
        outputs=tuple(_text(value) for field, value in parts if field == 2),
        attributes=dict(_attribute(_bytes(value)) for field, value in parts if field == 5),
    )


def _attribute(data: memoryview) -> tuple[str, Any]:
    """Name and value. A list of floats may be packed into one field or stand in many."""
    name, floats, integers, strings = "", [], [], []
    for field, value in _fields(data):
        match field:
            case 1:
                name = _text(value)
            case 7:
                floats.append(_bytes(value))
            case 8:
                integers.append(value)
            case 9:
                strings.append(_bytes(value))
    if floats:
        return name, np.frombuffer(b"".join(floats), dtype="<f4")
    if integers:
        return name, _integers(integers)
    return name, [str(item, "utf-8") for item in strings]


def _integers(values: list[Value]) -> npt.NDArray[np.int64]:
    numbers: list[int] = []
    for value in values:
        if isinstance(value, int):
            numbers.append(value)
            continue
        position = 0
        while position < len(value):
            number, position = _varint(value, position)
            numbers.append(number)
    return np.array(numbers, dtype=np.uint64).astype(np.int64)  # negative numbers are written as 2^64 - n


def _tensor(data: memoryview) -> tuple[str, npt.NDArray[Any]]:
    """Name and flat values of a constant of floats or integers; other kinds come out empty."""
    name, kind, raw, floats, integers = "", 0, b"", [], []
    for field, value in _fields(data):
        match field:
            case 2:
                kind = value if isinstance(value, int) else 0
            case 4:
                floats.append(_bytes(value))
            case 7:
                integers.append(value)
            case 8:
                name = _text(value)
            case 9:
                raw = bytes(_bytes(value))
    if kind == _FLOAT:
        return name, np.frombuffer(raw or b"".join(floats), dtype="<f4")
    if kind == _INT64:
        return name, np.frombuffer(raw, dtype="<i8") if raw else _integers(integers)
    return name, np.empty(0, dtype=np.float32)
