"""EfficientNet-Lite0 (ImageNet-1k) from its published PyTorch weights to ONNX.

Input `image`: uint8 (n, 224, 224, 3), RGB. Normalisation is part of the graph.
Outputs: `prob` float32 (n, 1000), softmax; `features` float32 (n, 1280), what the classifier sees, which
works as an embedding of the picture.
Source of the architecture: EfficientNet-Lite0 as Google published it (B0 without squeeze-and-excite, ReLU6).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ai_services.models.convert.onnx_writer import Attribute, OnnxGraph
from ai_services.models.convert.torch_legacy import read_state_dict
from ai_services.models.errors import ConversionFailed

SIDE = 224
EPSILON = 1e-3
# (kernel, stride) of the sixteen blocks; channels follow from the weights.
BLOCKS = [(3, 1), (3, 2), (3, 1), (5, 2), (5, 1), (3, 2), (3, 1), (3, 1)]
BLOCKS += [(5, 1), (5, 1), (5, 1), (5, 2), (5, 1), (5, 1), (5, 1), (3, 1)]
CRANES = {134: "crane (bird)", 517: "crane (machine)"}  # the two classes that share their only name

Weights = Mapping[str, npt.NDArray[np.float32]]


def convert(inputs: Mapping[str, Path]) -> dict[str, bytes]:
    """`weights.pth` and `names.json` (class index to WordNet synonyms) to `model.onnx` and `labels.txt`."""
    with inputs["weights.pth"].open("rb") as file:
        weights = read_state_dict(file)
    try:
        model = build(weights)
    except KeyError as error:
        raise ConversionFailed(f"the weight file lacks the tensor {error}") from error
    return {"model.onnx": model, "labels.txt": _labels(inputs["names.json"])}


def build(weights: Weights) -> bytes:
    """The ONNX file for a state dictionary in the naming of the published weights."""
    builder = _Builder(OnnxGraph("efficientnet-lite0"), weights)
    x = builder.normalised_image()
    x = builder.relu6(builder.conv(x, "_conv_stem", "_bn0", size=SIDE, stride=2))
    size = SIDE // 2
    for index, (kernel, stride) in enumerate(BLOCKS):
        x = builder.block(x, f"_blocks.{index}", kernel, stride, size)
        size //= stride
    x = builder.relu6(builder.conv(x, "_conv_head", "_bn1", size=size))
    builder.head(x)
    return builder.graph.to_bytes()


def _labels(path: Path) -> bytes:
    """One name a line: the first WordNet synonym of each class that no earlier class has."""
    synonyms = json.loads(path.read_bytes())
    if not isinstance(synonyms, dict) or set(synonyms) != {str(index) for index in range(1000)}:
        raise ConversionFailed("the list of class names does not have the entries 0 to 999")
    lines: dict[str, None] = {}
    for index in range(1000):
        names = [CRANES[index]] if index in CRANES else synonyms[str(index)].split(", ")
        lines[next(name for name in names if name not in lines)] = None
    return "".join(f"{name}\n" for name in lines).encode()


@dataclass
class _Builder:
    graph: OnnxGraph
    weights: Weights

    def normalised_image(self) -> str:
        image = self.graph.add_input("image", "uint8", ["n", SIDE, SIDE, 3])
        x = self.graph.node("Cast", [image], attributes={"to": 1})
        x = self.graph.node("Sub", [x, self.graph.constant(np.array(127, np.float32))])
        x = self.graph.node("Div", [x, self.graph.constant(np.array(128, np.float32))])
        return self.graph.node("Transpose", [x], attributes={"perm": [0, 3, 1, 2]})

    def relu6(self, x: str) -> str:
        low, high = (self.graph.constant(np.array(bound, np.float32)) for bound in (0, 6))
        return self.graph.node("Clip", [x, low, high])

    def conv(
        self, x: str, name: str, norm: str, *, size: int, stride: int = 1, depthwise: bool = False
    ) -> str:
        """A convolution with its batch normalisation folded in, and TensorFlow's SAME padding."""
        kernel, bias = self._folded(name, norm)
        side = kernel.shape[2]
        total = max((-(-size // stride) - 1) * stride + side - size, 0)
        before, after = total // 2, total - total // 2
        attributes: dict[str, Attribute] = {
            "kernel_shape": [side, side],
            "strides": [stride, stride],
            "pads": [before, before, after, after],
            "group": len(kernel) if depthwise else 1,
        }
        constants = [self.graph.constant(kernel, f"{name}.weight"), self.graph.constant(bias, f"{name}.bias")]
        return self.graph.node("Conv", [x, *constants], attributes=attributes)

    def block(self, x: str, name: str, kernel: int, stride: int, size: int) -> str:
        """Expand (not in the first block), filter each channel, project; a shortcut where shapes agree."""
        shortcut = x
        if f"{name}._expand_conv.weight" in self.weights:
            x = self.relu6(self.conv(x, f"{name}._expand_conv", f"{name}._bn0", size=size))
        self._expect_kernel(name, kernel)
        depthwise = f"{name}._depthwise_conv"
        x = self.relu6(self.conv(x, depthwise, f"{name}._bn1", size=size, stride=stride, depthwise=True))
        x = self.conv(x, f"{name}._project_conv", f"{name}._bn2", size=size // stride)
        if stride == 1 and self._keeps_channels(name):
            x = self.graph.node("Add", [x, shortcut])
        return x

    def head(self, x: str) -> None:
        pooled = self.graph.node("GlobalAveragePool", [x])
        features = self.graph.node("Flatten", [pooled], output="features")
        matrix = self.graph.constant(self.weights["_fc.weight"], "_fc.weight")
        bias = self.graph.constant(self.weights["_fc.bias"], "_fc.bias")
        logits = self.graph.node("Gemm", [features, matrix, bias], attributes={"transB": 1})
        self.graph.node("Softmax", [logits], output="prob", attributes={"axis": 1})
        self.graph.add_output("prob", "float32", ["n", 1000])
        self.graph.add_output("features", "float32", ["n", 1280])

    def _folded(self, name: str, norm: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        # In double precision: rounded once, so the bytes are the same on every machine.
        weight, bias, mean, variance = (
            self.weights[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = weight / np.sqrt(variance + EPSILON)
        kernel = self.weights[f"{name}.weight"].astype(np.float64) * scale[:, None, None, None]
        return kernel.astype(np.float32), (bias - mean * scale).astype(np.float32)

    def _keeps_channels(self, name: str) -> bool:
        project = self.weights[f"{name}._project_conv.weight"].shape[0]
        expand = self.weights.get(f"{name}._expand_conv.weight")
        filters = self.weights[f"{name}._depthwise_conv.weight"].shape[0]
        return bool(project == (filters if expand is None else expand.shape[1]))

    def _expect_kernel(self, name: str, kernel: int) -> None:
        if self.weights[f"{name}._depthwise_conv.weight"].shape[2:] != (kernel, kernel):
            raise ConversionFailed(f"{name} does not have the {kernel}x{kernel} filter of EfficientNet-Lite0")
