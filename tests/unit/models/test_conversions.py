"""The converted models give the answers that the published ones give."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import skimage
from PIL import Image

from ai_services.models.catalogue import load_catalogue
from ai_services.models.convert import CONVERTERS, converter_of, efficientnet_lite, nanodet
from ai_services.models.convert.onnx_writer import OnnxGraph
from ai_services.models.convert.tfjs import TfGraph, TfNode, read_graph_model
from ai_services.models.errors import ConversionFailed

Picture = npt.NDArray[np.uint8]


def session(model: Path | bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model if isinstance(model, bytes) else str(model), options)


def picture(name: str) -> Image.Image:
    return Image.fromarray(getattr(skimage.data, name)()).convert("RGB")


# EfficientNet-Lite0


def centre_crop(image: Image.Image) -> Picture:
    """224 x 224 from the central 87.5 %, bicubic, as the network was trained."""
    side = int(min(image.size) * 0.875)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((224, 224), Image.Resampling.BICUBIC, box=box))


@pytest.fixture(scope="module")
def classifier(models_dir: str) -> Any:
    return session(Path(models_dir) / "efficientnet-lite0" / "model.onnx")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chelsea", {"tiger cat": 0.392, "Egyptian cat": 0.356, "tabby": 0.171}),
        ("coffee", {"espresso": 0.951}),
        ("rocket", {"missile": 0.303, "projectile": 0.209}),
    ],
)
def test_pictures_are_classified_as_by_the_published_network(
    classifier: Any, models_dir: str, name: str, expected: dict[str, float]
) -> None:
    labels = (Path(models_dir) / "efficientnet-lite0" / "labels.txt").read_text().splitlines()
    prob, features = classifier.run(None, {"image": centre_crop(picture(name))[None]})
    assert prob.shape == (1, 1000) and features.shape == (1, 1280)
    best = prob[0].argsort()[::-1][: len(expected)]
    assert {labels[index]: pytest.approx(float(prob[0, index]), abs=0.02) for index in best} == expected


def test_a_batch_gives_what_single_pictures_give(classifier: Any) -> None:
    pictures = np.stack([centre_crop(picture(name)) for name in ("chelsea", "coffee", "astronaut")])
    together, _ = classifier.run(None, {"image": pictures})
    alone = np.concatenate([classifier.run(None, {"image": item[None]})[0] for item in pictures])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_every_class_has_a_name_of_its_own(models_dir: str) -> None:
    labels = (Path(models_dir) / "efficientnet-lite0" / "labels.txt").read_text().splitlines()
    assert len(labels) == len(set(labels)) == 1000
    assert (labels[0], labels[134], labels[517], labels[999]) == (
        "tench",
        "crane (bird)",
        "crane (machine)",
        "toilet tissue",
    )


def random_weights() -> dict[str, npt.NDArray[np.float32]]:
    """A state dictionary of the right shapes, with the published names."""
    random = np.random.default_rng(0)
    weights: dict[str, npt.NDArray[np.float32]] = {}

    def conv(name: str, norm: str, shape: tuple[int, int, int, int]) -> None:
        weights[f"{name}.weight"] = random.normal(0, 0.1, shape).astype(np.float32)
        for part in ("weight", "bias", "running_mean", "running_var"):
            weights[f"{norm}.{part}"] = random.uniform(0.5, 1, shape[0]).astype(np.float32)

    channels = [32, 16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192, 320]
    conv("_conv_stem", "_bn0", (32, 3, 3, 3))
    for index, (kernel, _stride) in enumerate(efficientnet_lite.BLOCKS):
        wide = channels[index] * (6 if index else 1)
        name = f"_blocks.{index}"
        if index:
            conv(f"{name}._expand_conv", f"{name}._bn0", (wide, channels[index], 1, 1))
        conv(f"{name}._depthwise_conv", f"{name}._bn1", (wide, 1, kernel, kernel))
        conv(f"{name}._project_conv", f"{name}._bn2", (channels[index + 1], wide, 1, 1))
    conv("_conv_head", "_bn1", (1280, 320, 1, 1))
    weights["_fc.weight"] = random.normal(0, 0.1, (1000, 1280)).astype(np.float32)
    weights["_fc.bias"] = np.zeros(1000, np.float32)
    return weights


def test_the_same_weights_give_the_same_bytes_and_a_valid_file() -> None:
    weights = random_weights()
    body = efficientnet_lite.build(weights)
    assert body == efficientnet_lite.build(dict(reversed(weights.items())))
    onnx.checker.check_model(onnx.load_from_string(body), full_check=True)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    weights = random_weights()
    weights["_blocks.3._depthwise_conv.weight"] = weights["_blocks.2._depthwise_conv.weight"]
    with pytest.raises(ConversionFailed, match="5x5 filter"):
        efficientnet_lite.build(weights)


# NanoDet


def normalised(image: Image.Image) -> npt.NDArray[np.float32]:
    """The whole picture stretched to 416 x 416, as the network wants it."""
    pixels = np.asarray(image.resize((416, 416), Image.Resampling.BILINEAR), np.float32)[:, :, ::-1]
    scaled = (pixels - [103.53, 116.28, 123.675]) / [57.375, 57.12, 58.395]
    return scaled.transpose(2, 0, 1)[None].astype(np.float32)


@pytest.mark.parametrize(
    ("name", "label", "score"), [("astronaut", "person", 0.734), ("coffee", "cup", 0.522)]
)
def test_things_are_detected_as_by_the_published_network(
    models_dir: str, name: str, label: str, score: float
) -> None:
    folder = Path(models_dir) / "nanodet-g-416"
    labels = (folder / "labels.txt").read_text().splitlines()
    scores, distances = session(folder / "model.onnx").run(None, {"image": normalised(picture(name))})
    assert scores.shape == (1, 3549, 80) and distances.shape == (1, 3549, 44)
    best = scores[0].max(axis=0)
    assert labels[best.argmax()] == label
    assert best.max() == pytest.approx(score, abs=0.01)


def test_the_box_of_the_astronaut_is_where_she_is(models_dir: str) -> None:
    scores, distances = session(Path(models_dir) / "nanodet-g-416" / "model.onnx").run(
        None, {"image": normalised(picture("astronaut"))}
    )
    place = int(scores[0, :, 0].argmax())
    stride, column, row = _place(place)
    bins = np.exp(distances[0, place].reshape(4, 11))
    left, top, right, bottom = (bins / bins.sum(1, keepdims=True) * np.arange(11)).sum(1) * stride
    x, y = (column + 0.5) * stride, (row + 0.5) * stride
    box = np.array([x - left, y - top, x + right, y + bottom]) * 512 / 416
    np.testing.assert_allclose(box, [15, 14, 364, 507], atol=6)


def _place(index: int) -> tuple[int, int, int]:
    """Stride, column and row of one of the 3549 places."""
    for stride in (8, 16, 32):
        side = 416 // stride
        if index < side * side:
            return stride, index % side, index // side
        index -= side * side
    raise AssertionError(index)


def tf_model(tmp_path: Path, nodes: list[dict[str, Any]], weights: dict[str, npt.NDArray[Any]]) -> TfGraph:
    entries = [
        {"name": name, "shape": list(value.shape), "dtype": value.dtype.name}
        for name, value in weights.items()
    ]
    document = {
        "modelTopology": {"node": nodes},
        "weightsManifest": [{"paths": ["w.bin"], "weights": entries}],
    }
    (tmp_path / "m.json").write_text(json.dumps(document))
    (tmp_path / "w.bin").write_bytes(b"".join(value.tobytes() for value in weights.values()))
    return read_graph_model(tmp_path / "m.json", tmp_path / "w.bin")


def test_nodes_are_put_in_order_of_execution(tmp_path: Path) -> None:
    nodes: list[dict[str, Any]] = [
        {"name": "b", "op": "Identity", "input": ["a:0"]},
        {"name": "a", "op": "Identity", "input": ["w"]},
        {"name": "w", "op": "Const"},
    ]
    graph = tf_model(tmp_path, nodes, {"w": np.ones(2, np.float32)})
    assert [node.name for node in graph.nodes] == ["w", "a", "b"]


def test_a_graph_that_is_none_is_refused(tmp_path: Path) -> None:
    cycle = [{"name": "a", "op": "Identity", "input": ["b"]}, {"name": "b", "op": "Identity", "input": ["a"]}]
    with pytest.raises(ConversionFailed, match="cycle"):
        tf_model(tmp_path, cycle, {})
    with pytest.raises(ConversionFailed, match="not a TensorFlow"):
        tf_model(tmp_path, [{"name": "a", "op": "Identity", "input": ["nobody"]}], {})
    (tmp_path / "w.bin").write_bytes(b"123")
    with pytest.raises(ConversionFailed, match="has 3 bytes"):
        read_graph_model(tmp_path / "m.json", tmp_path / "w.bin")


def test_an_operation_that_is_not_known_is_named() -> None:
    graph = TfGraph((TfNode("x", "Alchemy", (), {}),), {})
    with pytest.raises(ConversionFailed, match="Alchemy"):
        nanodet.build(graph)


# What both share


def test_every_converter_of_the_catalogue_is_there_and_its_outputs_pinned() -> None:
    used = {model.convert: model for model in load_catalogue() if model.convert}
    assert used.keys() == CONVERTERS.keys()
    for name in used:
        assert callable(converter_of(name))


def test_installed_conversions_are_bit_for_bit_those_of_the_catalogue(models_dir: str) -> None:
    for model in load_catalogue():
        for name, spec in model.files.items():
            if not spec.source:
                body = (Path(models_dir) / model.name / name).read_bytes()
                assert hashlib.sha256(body).hexdigest() == spec.sha256, f"{model.name}/{name}"


def test_attributes_and_constants_of_every_kind_are_written_as_onnx_reads_them() -> None:
    graph = OnnxGraph("all-kinds")
    x = graph.add_input("x", "float32", ["n", 2])
    bias = graph.constant(np.array([1, -1], np.float32), "bias")
    assert graph.constant(np.array([1, -1], np.float32)) == bias, "equal constants are stored once"
    x = graph.node("Add", [x, bias])
    x = graph.node("LeakyRelu", [x], attributes={"alpha": 0.5})
    x = graph.node("Transpose", [x], attributes={"perm": [1, 0]})
    shape = graph.constant(np.array([-1], np.int64))
    graph.node("Reshape", [x, shape], output="y")
    graph.add_output("y", "float32", ["m"])
    (found,) = session(graph.to_bytes()).run(None, {"x": np.array([[1, -1], [3, 3]], np.float32)})
    np.testing.assert_array_equal(found, [2, 4, -1, 2])
