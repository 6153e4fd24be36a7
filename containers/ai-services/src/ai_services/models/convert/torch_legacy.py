"""Reads the weights out of a legacy PyTorch `.pth` file without PyTorch and without `pickle`.

A pickle is a program, and the usual readers run it. This one does not: it interprets the two dozen
instructions that a list of named tensors needs, over plain values. A global becomes an inert `Name`, and
only the four in `ADMITTED` are accepted; nothing named in the file is ever imported or called.

Layout of the format (torch.save before 1.6): five pickles (magic number, protocol, machine facts, the
object, the keys of its storages) followed by each storage as `int64 count` and its raw elements.
"""

from __future__ import annotations

import math
import os
import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import IO, Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from ai_services.models.errors import ConversionFailed

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
LONGEST_PICKLE = 4 * 1024 * 1024
MOST_ELEMENTS = 1 << 30


class Name(Enum):
    """The globals that may stand in the file, as `module name`."""

    ORDERED_DICT = "collections OrderedDict"
    REBUILD_TENSOR = "torch._utils _rebuild_tensor_v2"
    FLOAT_STORAGE = "torch FloatStorage"
    LONG_STORAGE = "torch LongStorage"


ADMITTED = {name.value: name for name in Name}
ELEMENT_TYPES: dict[Name, np.dtype[Any]] = {
    Name.FLOAT_STORAGE: np.dtype("<f4"),
    Name.LONG_STORAGE: np.dtype("<i8"),
}


@dataclass(frozen=True)
class Storage:
    """A block of elements at the end of the file, by its key there."""

    dtype: np.dtype[Any]
    key: str
    count: int


@dataclass(frozen=True)
class TensorView:
    """A window on a storage: `offset`, `shape` and `stride` in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def read_state_dict(file: BinaryIO) -> dict[str, npt.NDArray[Any]]:
    """All tensors of the file by name.

    Raises ConversionFailed when the file is not this format, is truncated, or holds any instruction or
    global that a list of tensors does not need.
    """
    if evaluate(file) != MAGIC or evaluate(file) != PROTOCOL:
        raise ConversionFailed("not a legacy PyTorch weight file (its magic number is missing)")
    facts = evaluate(file)
    if not isinstance(facts, dict) or facts.get("little_endian") is not True:
        raise ConversionFailed("the weight file was written on a big-endian machine")
    views = evaluate(file)
    keys = evaluate(file)
    if not isinstance(views, dict) or not isinstance(keys, list):
        raise ConversionFailed("the weight file does not hold a dictionary of tensors")
    wanted = {name: view for name, view in views.items() if isinstance(view, TensorView)}
    blocks = _read_storages(file, keys, {view.storage.key: view.storage for view in wanted.values()})
    return {name: _materialise(view, blocks[view.storage.key]) for name, view in wanted.items()}


def _read_storages(
    file: BinaryIO, keys: list[Any], storages: dict[str, Storage]
) -> dict[str, npt.NDArray[Any]]:
    blocks = {}
    left = os.fstat(file.fileno()).st_size - file.tell()
    for key in keys:
        storage = storages.get(key) if isinstance(key, str) else None
        count = int.from_bytes(file.read(8), "little")
        if storage is None or count != storage.count:
            raise ConversionFailed("the weight file's storages do not match its index")
        left -= 8 + count * storage.dtype.itemsize
        if left < 0:
            raise ConversionFailed("the weight file is truncated")
        blocks[storage.key] = np.fromfile(file, storage.dtype, count)
    if missing := storages.keys() - blocks.keys():
        raise ConversionFailed(f"the weight file lacks {len(missing)} of its storages")
    return blocks


def _materialise(view: TensorView, block: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The elements of a view, copied; every element that it addresses is checked to lie in its storage."""
    lengths_and_strides = list(zip(view.shape, view.stride, strict=True))
    last = view.offset + sum((length - 1) * stride for length, stride in lengths_and_strides)
    inside = 0 <= view.offset <= last < len(block) and all(a > 0 <= b for a, b in lengths_and_strides)
    if not inside or math.prod(view.shape) > len(block):
        raise ConversionFailed("a tensor of the weight file is not inside its storage")
    steps = [stride * block.itemsize for stride in view.stride]
    return np.lib.stride_tricks.as_strided(block[view.offset :], view.shape, steps).copy()


def evaluate(file: BinaryIO) -> Any:
    """The value of the next pickle of `file`, built from inert values only."""
    machine = _Machine()
    try:
        for instruction, argument, position in pickletools.genops(cast(IO[bytes], _Bounded(file))):
            step = STEPS.get(instruction.name)
            if step is None:
                raise ConversionFailed(
                    f"instruction {instruction.name} at byte {position} has no place in a list of tensors"
                )
            step(machine, argument)
        return machine.stack.pop()
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ConversionFailed(f"the weight file is damaged: {error}") from error


class _Bounded:
    """Limits what one pickle may read, so that a length field cannot ask for all memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = LONGEST_PICKLE

    def read(self, size: int) -> bytes:
        return self._take(size, self._file.read)

    def readline(self) -> bytes:
        return self._take(min(1024, self._left), self._file.readline)

    def tell(self) -> int:
        return self._file.tell()

    def _take(self, size: int, read: Callable[[int], bytes]) -> bytes:
        if not 0 <= size <= self._left:
            raise ValueError("a value is longer than any index of tensors")
        data = read(size)
        self._left -= len(data)
        return data


class _Machine:
    """The pickle machine's stack and memo, without its power to import and call."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def name(self, argument: str) -> None:
        if argument not in ADMITTED:
            raise ConversionFailed(f"the weight file names `{argument}`, which no list of tensors needs")
        self.push(ADMITTED[argument])

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise ValueError("items are set on something that is not a dictionary")
        if not all(isinstance(key, str) for key in items[::2]):
            raise ValueError("a key is not a text")  # also: the hash of a nested tuple can take for ever
        target.update(zip(items[::2], items[1::2], strict=True))

    def append_all(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise TypeError("items are appended to something that is not a list")
        target.extend(items)

    def tuple_of(self, count: int) -> None:
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        self.push(tuple(items))

    def storage(self) -> None:
        kind, dtype, key, _device, count, _view = self.stack.pop()
        if kind != "storage" or not isinstance(key, str) or not 0 <= count <= MOST_ELEMENTS:
            raise ValueError("a storage is described wrongly")
        self.push(Storage(ELEMENT_TYPES[dtype], key, count))

    def apply(self) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if name is Name.ORDERED_DICT and arguments == ():
            self.push({})
        elif name is Name.REBUILD_TENSOR:
            self.push(_tensor_view(*arguments[:4]))
        else:
            raise ConversionFailed("the weight file wants something called; nothing ever is")

    def ignore_state(self) -> None:
        """BUILD gives the dictionary its Python attributes (`_metadata`); tensors do not need them."""
        self.stack.pop()


def _tensor_view(
    storage: Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]
) -> TensorView:
    sizes = [offset, *shape, *stride]
    if not isinstance(storage, Storage) or not all(isinstance(size, int) for size in sizes):
        raise TypeError("a tensor is described wrongly")
    return TensorView(storage, offset, shape, stride)


def _steps() -> Iterator[tuple[str, Callable[[_Machine, Any], None]]]:
    for name in ("LONG1", "BININT", "BININT1", "BININT2", "BINUNICODE"):
        yield name, lambda machine, argument: machine.push(argument)
    for name in ("BINGET", "LONG_BINGET"):
        yield name, lambda machine, argument: machine.push(machine.memo[argument])
    for name in ("BINPUT", "LONG_BINPUT"):
        yield name, lambda machine, argument: machine.memo.update({argument: machine.stack[-1]})
    for count, name in enumerate(("EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3")):
        yield name, lambda machine, _, count=count: machine.tuple_of(count)  # type: ignore[misc]
    yield "PROTO", lambda _machine, _: None
    yield "STOP", lambda _machine, _: None
    yield "NONE", lambda machine, _: machine.push(None)
    yield "NEWTRUE", lambda machine, _: machine.push(True)
    yield "NEWFALSE", lambda machine, _: machine.push(False)
    yield "EMPTY_DICT", lambda machine, _: machine.push({})
    yield "EMPTY_LIST", lambda machine, _: machine.push([])
    yield "MARK", lambda machine, _: machine.mark()
    yield "TUPLE", lambda machine, _: machine.push(tuple(machine.since_mark()))
    yield "APPEND", lambda machine, _: machine.append_all([machine.stack.pop()])
    yield "APPENDS", lambda machine, _: machine.append_all(machine.since_mark())
    yield "SETITEM", lambda machine, _: machine.set_items([machine.stack.pop(-2), machine.stack.pop()])
    yield "SETITEMS", lambda machine, _: machine.set_items(machine.since_mark())
    yield "GLOBAL", lambda machine, argument: machine.name(argument)
    yield "BINPERSID", lambda machine, _: machine.storage()
    yield "REDUCE", lambda machine, _: machine.apply()
    yield "BUILD", lambda machine, _: machine.ignore_state()


STEPS = dict(_steps())
