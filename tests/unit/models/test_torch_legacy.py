"""Reading weights out of a pickle without ever doing what the pickle says."""

from __future__ import annotations

import io
import os
import pickle
import struct
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai_services.models.convert.torch_legacy import MAGIC, evaluate, read_state_dict
from ai_services.models.errors import ConversionFailed
from tests.support.attacks import attack

TENSORS: dict[str, np.ndarray[Any, Any]] = {
    "a.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "a.bias": np.array([1.5, -2.5], np.float32),
    "a.steps": np.array(7, np.int64),
}
STORAGES = {"float32": b"ctorch\nFloatStorage\n", "int64": b"ctorch\nLongStorage\n"}


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(key: str, array: np.ndarray[Any, Any], *, count: int | None = None, offset: int = 0) -> bytes:
    """The instructions that PyTorch writes for a tensor on a storage."""
    strides = tuple(step // array.itemsize for step in array.strides)
    size = array.size if count is None else count
    storage = b"(" + text("storage") + STORAGES[array.dtype.name] + text(key) + text("cpu") + number(size)
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + (storage + b"NtQ" + number(offset) + numbers(array.shape) + numbers(strides))
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )


def state(entries: Mapping[str, bytes]) -> bytes:
    items = b"".join(text(name) + value for name, value in entries.items())
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u."


def weight_file(index: bytes, keys: list[str], blocks: bytes) -> bytes:
    head = [MAGIC, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}]
    return b"".join(pickle.dumps(value, 2) for value in head) + index + pickle.dumps(keys, 2) + blocks


def valid_file() -> bytes:
    entries = {name: tensor(str(index), array) for index, (name, array) in enumerate(TENSORS.items())}
    blocks = b"".join(struct.pack("<q", array.size) + array.tobytes() for array in TENSORS.values())
    return weight_file(state(entries), ["0", "1", "2"], blocks)


def read(tmp_path: Path, body: bytes) -> dict[str, Any]:
    path = tmp_path / "weights.pth"
    path.write_bytes(body)
    with path.open("rb") as file:
        return read_state_dict(file)


def test_tensors_are_read_with_their_shapes_and_types(tmp_path: Path) -> None:
    found = read(tmp_path, valid_file())
    assert list(found) == list(TENSORS)
    for name, array in TENSORS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_a_transposed_view_of_a_storage_is_read_in_its_own_order(tmp_path: Path) -> None:
    stored = np.arange(6, dtype=np.float32).reshape(2, 3)
    block = struct.pack("<q", 6) + stored.tobytes()
    found = read(tmp_path, weight_file(state({"w": tensor("0", stored.T)}), ["0"], block))
    np.testing.assert_array_equal(found["w"], stored.T)


class Evil:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


@attack(
    threat="A checkpoint whose pickle calls a program",
    control="Its opcodes are read; nothing it names is imported or called",
    file="containers/ai-services/src/ai_services/models/convert/torch_legacy.py",
)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_that_a_pickle_names_is_ever_called(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "mark"
    body = pickle.dumps({"weights": Evil(mark)}, protocol)
    with pytest.raises(ConversionFailed):
        evaluate(io.BytesIO(body))
    assert not mark.exists()
    assert pickle.loads(body)["weights"] == 0, "the usual reader does run it"  # noqa: S301
    assert mark.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"cos\nsystem\n(X\x04\x00\x00\x00truetR.",
        b"cbuiltins\neval\n.",
        b"ctorch._utils\n_rebuild_tensor_v3\n.",
        b"ctorch\nload\n.",
        b"(ios\nsystem\n.",
        b"X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93.",
        b"\x82\x01.",
        b"ccollections\nOrderedDict\n)\x81.",
        b"ccollections\nOrderedDict\n(lR.",
        b"ctorch\nFloatStorage\n)R.",
        b"(ccollections\nOrderedDict\no.",
        b"P1\n.",
    ],
)
def test_what_a_list_of_tensors_does_not_need_is_refused(body: bytes) -> None:
    with pytest.raises(ConversionFailed):
        evaluate(io.BytesIO(body))


@pytest.mark.parametrize(
    "entry",
    [
        tensor("0", TENSORS["a.weight"], offset=1),
        tensor("0", TENSORS["a.weight"], offset=-1),
        tensor("0", TENSORS["a.weight"], count=2_000_000_000),
        tensor("0", np.broadcast_to(np.float32(1), (2, 100))),
        tensor("9", TENSORS["a.weight"]),
    ],
)
def test_a_tensor_outside_its_storage_is_refused(tmp_path: Path, entry: bytes) -> None:
    block = struct.pack("<q", 24) + TENSORS["a.weight"].tobytes()
    with pytest.raises(ConversionFailed):
        read(tmp_path, weight_file(state({"w": entry}), ["0"], block))


@pytest.mark.parametrize("length", [0, 1, 20, 100, 300, len(valid_file()) - 1])
def test_a_truncated_file_is_said(tmp_path: Path, length: int) -> None:
    with pytest.raises(ConversionFailed):
        read(tmp_path, valid_file()[:length])


def test_a_text_that_claims_to_be_enormous_is_not_read() -> None:
    with pytest.raises(ConversionFailed, match="longer than any index"):
        evaluate(io.BytesIO(b"X\xff\xff\xff\x7f" + b"x" * 100))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_file_is_read_or_refused_but_never_crashes(
    tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    body = bytearray(valid_file())
    for position, value in changes:
        body[position % len(body)] = value
    with suppress(ConversionFailed):
        read(tmp_path, bytes(body))


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200))
def test_noise_is_evaluated_or_refused(body: bytes) -> None:
    with suppress(ConversionFailed):
        evaluate(io.BytesIO(body))
