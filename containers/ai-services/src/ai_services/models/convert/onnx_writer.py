"""Writes ONNX files: just the parts of the protobuf format that our conversions need.

The bytes depend on nothing but the graph (no library version, no time, no hash order), which is why the
sha256 of a converted model can be pinned in the catalogue.
Source of the field numbers: onnx.proto of ONNX IR version 10.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Attribute = int | float | str | Sequence[int]
Dim = int | str

IR_VERSION = 10
OPSET = 21
ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int32": 6, "int64": 7}


@dataclass
class OnnxGraph:
    """A graph under construction. Nodes are added in order of execution."""

    name: str
    nodes: list[bytes] = field(default_factory=list)
    initializers: list[bytes] = field(default_factory=list)
    inputs: list[bytes] = field(default_factory=list)
    outputs: list[bytes] = field(default_factory=list)
    constants: dict[tuple[str, tuple[int, ...], bytes], str] = field(default_factory=dict)

    def add_input(self, name: str, dtype: str, shape: Sequence[Dim]) -> str:
        self.inputs.append(_value_info(name, dtype, shape))
        return name

    def add_output(self, name: str, dtype: str, shape: Sequence[Dim]) -> None:
        self.outputs.append(_value_info(name, dtype, shape))

    def constant(self, value: Array, name: str | None = None) -> str:
        """The name of an initializer that holds `value`; equal values share one."""
        value = np.ascontiguousarray(value)
        little = value.astype(value.dtype.newbyteorder("<"), copy=False)
        key = (value.dtype.name, value.shape, little.tobytes())
        if key not in self.constants:
            self.constants[key] = name or f"const_{len(self.constants)}"
            self.initializers.append(_tensor(self.constants[key], key))
        return self.constants[key]

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        *,
        output: str | None = None,
        attributes: Mapping[str, Attribute] | None = None,
    ) -> str:
        """Append a node with one output and return that output's name."""
        return self.multi_node(operator, inputs, [output or self._fresh(operator)], attributes)[0]

    def multi_node(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: Mapping[str, Attribute] | None = None,
    ) -> Sequence[str]:
        body = b"".join(_text(1, name) for name in inputs) + b"".join(_text(2, name) for name in outputs)
        body += _text(3, f"node_{len(self.nodes)}") + _text(4, operator)
        for key in sorted(attributes or {}):
            body += _bytes(5, _attribute(key, (attributes or {})[key]))
        self.nodes.append(body)
        return outputs

    def _fresh(self, operator: str) -> str:
        return f"{operator.lower()}_{len(self.nodes)}"

    def to_bytes(self) -> bytes:
        """The whole model, serialised."""
        graph = _all(1, self.nodes) + _text(2, self.name) + _all(5, self.initializers)
        graph += _all(11, self.inputs) + _all(12, self.outputs)
        opset = _text(1, "") + _number(2, OPSET)
        return _number(1, IR_VERSION) + _text(2, "ai-semble") + _bytes(7, graph) + _bytes(8, opset)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(tag: int, value: int) -> bytes:
    return _varint(tag << 3) + _varint(value)


def _float(tag: int, value: float) -> bytes:
    return _varint(tag << 3 | 5) + np.array(value, "<f4").tobytes()


def _bytes(tag: int, value: bytes) -> bytes:
    return _varint(tag << 3 | 2) + _varint(len(value)) + value


def _text(tag: int, value: str) -> bytes:
    return _bytes(tag, value.encode())


def _all(tag: int, values: Iterable[bytes]) -> bytes:
    return b"".join(_bytes(tag, value) for value in values)


def _tensor(name: str, key: tuple[str, tuple[int, ...], bytes]) -> bytes:
    dtype, shape, raw = key
    dims = b"".join(_number(1, size) for size in shape)
    return dims + _number(2, ELEMENT_TYPES[dtype]) + _text(8, name) + _bytes(9, raw)


def _attribute(name: str, value: Attribute) -> bytes:
    """AttributeProto: the value's field and, in field 20, which of them it is."""
    match value:
        case int():
            body = _number(3, value) + _number(20, 2)
        case float():
            body = _float(2, value) + _number(20, 1)
        case str():
            body = _text(4, value) + _number(20, 3)
        case _:
            body = b"".join(_number(8, item) for item in value) + _number(20, 7)
    return _text(1, name) + body


def _value_info(name: str, dtype: str, shape: Sequence[Dim]) -> bytes:
    dims = b"".join(
        _bytes(1, _number(1, size) if isinstance(size, int) else _text(2, size)) for size in shape
    )
    tensor_type = _number(1, ELEMENT_TYPES[dtype]) + _bytes(2, dims)
    return _text(1, name) + _bytes(2, _bytes(1, tensor_type))
