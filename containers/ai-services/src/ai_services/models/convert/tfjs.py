"""Reads a TensorFlow.js graph model: its nodes and its constants."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ai_services.models.errors import ConversionFailed

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TfNode:
    """One operation. `inputs` are names, with `:1` for the second output of another node."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def text(self, key: str) -> str:
        return base64.b64decode(self.attributes[key]["s"]).decode("ascii")

    def numbers(self, key: str) -> list[int]:
        return [int(item) for item in self.attributes[key]["list"].get("i", [])]


@dataclass(frozen=True)
class TfGraph:
    """Nodes in order of execution, and the value of every constant node."""

    nodes: tuple[TfNode, ...]
    constants: Mapping[str, Array]


def read_graph_model(topology: Path, weights: Path) -> TfGraph:
    """The graph of `model.json` and its one weight file.

    Raises ConversionFailed when the two do not belong together or are of another kind.
    """
    try:
        document = json.loads(topology.read_bytes())
        entries = [entry for group in document["weightsManifest"] for entry in group["weights"]]
        constants = _read_weights(entries, weights.read_bytes())
        nodes = [_node(raw) for raw in document["modelTopology"]["node"]]
        return TfGraph(tuple(_in_order(nodes)), constants)
    except (KeyError, TypeError, ValueError) as error:
        raise ConversionFailed(f"{topology.name} is not a TensorFlow.js graph model: {error!r}") from error


def _node(raw: Mapping[str, Any]) -> TfNode:
    return TfNode(raw["name"], raw["op"], tuple(raw.get("input", ())), raw.get("attr", {}))


def _read_weights(entries: list[dict[str, Any]], data: bytes) -> dict[str, Array]:
    constants: dict[str, Array] = {}
    position = 0
    for entry in entries:
        stored = np.dtype(entry.get("quantization", entry)["dtype"]).newbyteorder("<")
        if entry.get("quantization", {}).get("scale") is not None:
            raise ConversionFailed("weights quantised to integers are not supported")
        count = math.prod(entry["shape"])
        values = np.frombuffer(data, stored, count, position)
        position += count * stored.itemsize
        constants[entry["name"]] = values.astype(entry["dtype"]).reshape(entry["shape"])
    if position != len(data):
        raise ConversionFailed(f"the weight file has {len(data)} bytes, its index describes {position}")
    return constants


def _in_order(nodes: list[TfNode]) -> list[TfNode]:
    """Producers before consumers; the order in the file is nearly, but not surely, that."""
    by_name = {node.name: node for node in nodes}
    ordered: dict[str, TfNode] = {}
    for root in nodes:
        pending = [root]
        while pending:
            node = pending[-1]
            missing = [by_name[name] for name in map(producer, node.inputs) if name not in ordered]
            if len(pending) > len(nodes):
                raise ConversionFailed("the graph has a cycle")
            if missing:
                pending.extend(missing)
            else:
                ordered[pending.pop().name] = node
    return list(ordered.values())


def producer(tensor: str) -> str:
    """The node that makes a tensor: `split:1` -> `split`."""
    return tensor.removeprefix("^").split(":")[0]
