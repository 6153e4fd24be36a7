"""asari's Japanese sentiment model: TF-IDF of one and two words, five linear classifiers, calibrated.

The published `pipeline.onnx` is read and computed here, in a few lines of numpy, since ONNX Runtime would
take 250 MB for it and needs the locale en_US.UTF-8, which a plain Debian does not have. It was made with
janome's words, whose dictionary takes 650 MB of memory; Sudachi's shortest units, which we have anyway, do
as well (94 % of the 50 praising and blaming sentences of tests/accuracy/nlp/sentiment.jsonl, janome's 92 %).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ai_services.nlp.engines.onnx_reader import Graph, Node, read_graph

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class JapaneseSentiment:
    """The model. `keys` are the sorted hashes of its word groups (1 or 2 words), `rows` their features."""

    keys: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]
    idf: Floats
    weights: Floats  # (classifiers, features), towards `positive`
    bias: Floats
    slope: Floats
    offset: Floats

    @classmethod
    def open(cls, folder: Path) -> JapaneseSentiment:
        """Read `pipeline.onnx` of a folder."""
        graph = read_graph(folder / "pipeline.onnx")
        keys, rows = _vocabulary(_only(graph, "TfIdfVectorizer"))
        classifiers = [node for node in graph.nodes if node.kind == "LinearClassifier"]
        calibrations = [_calibration(graph, node) for node in classifiers]
        return cls(
            keys=keys,
            rows=rows,
            idf=graph.constants["idfcst"],
            weights=np.stack([_towards_positive(node, "coefficients") for node in classifiers]),
            bias=np.concatenate([_towards_positive(node, "intercepts") for node in classifiers]),
            slope=np.concatenate([slope for slope, _ in calibrations]),
            offset=np.concatenate([offset for _, offset in calibrations]),
        )

    def positive(self, words: Iterable[str]) -> float | None:
        """Probability that the text is positive rather than negative; None if it knows none of its words."""
        lowered = [word.lower() for word in words]
        groups = Counter([*lowered, *(" ".join(pair) for pair in pairwise(lowered))])
        hashes = np.array([hash(group) for group in groups], dtype=np.int64)
        if not len(hashes):
            return None
        places = np.minimum(np.searchsorted(self.keys, hashes), len(self.keys) - 1)
        known = self.keys[places] == hashes
        if not known.any():
            return None
        features = self.rows[places[known]]
        counts = np.fromiter(groups.values(), dtype=np.float32)[known]
        return self._probability(features, counts * self.idf[features])

    def _probability(self, features: npt.NDArray[np.int32], values: Floats) -> float:
        values = values / np.linalg.norm(values)
        margins = self.weights[:, features] @ values + self.bias
        return float(np.mean(1 / (1 + np.exp(self.slope * margins + self.offset))))


def _only(graph: Graph, kind: str) -> Node:
    return next(node for node in graph.nodes if node.kind == kind)


def _vocabulary(node: Node) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Sorted hashes of the word groups, and the feature of each: 4 MB where a dict of strings takes 50."""
    pool: Sequence[str] = node.attributes["pool_strings"]
    start_of_pairs = int(node.attributes["ngram_counts"][1])
    singles, pairs = pool[:start_of_pairs], pool[start_of_pairs:]
    groups = [*singles, *(f"{first} {second}" for first, second in zip(pairs[::2], pairs[1::2], strict=True))]
    hashes = np.fromiter(map(hash, groups), dtype=np.int64, count=len(groups))
    order = np.argsort(hashes)
    return hashes[order], node.attributes["ngram_indexes"].astype(np.int32)[order]


def _towards_positive(node: Node, attribute: str) -> Floats:
    """The second half of the values: the classes are negative, positive."""
    values: Floats = node.attributes[attribute]
    return values[len(values) // 2 :].astype(np.float32)


def _calibration(graph: Graph, classifier: Node) -> tuple[Floats, Floats]:
    """Slope and offset of the sigmoid behind a classifier: scores -> extract -> multiply -> add."""
    extract = _fed_by(graph, classifier.outputs[1], "ArrayFeatureExtractor")
    multiply = _fed_by(graph, extract.outputs[0], "Mul")
    add = _fed_by(graph, multiply.outputs[0], "Add")
    slope = next(graph.constants[name] for name in multiply.inputs if name in graph.constants)
    offset = next(graph.constants[name] for name in add.inputs if name in graph.constants)
    return slope, offset


def _fed_by(graph: Graph, value: str, kind: str) -> Node:
    return next(node for node in graph.nodes if node.kind == kind and value in node.inputs)
