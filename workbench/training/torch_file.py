"""Reads the tensors of a .pth file of PyTorch before 1.6 without PyTorch and without trusting it.

The file is five pickles, then the numbers: a magic number, the version of the format, facts about
the machine, an OrderedDict from names to tensors, and the keys of the storages in the order in
which they follow, each with its length before it. No pickle is loaded: a small machine of our own
takes the few instructions that such a file needs, builds nothing but numbers, texts, tuples, lists
and dictionaries from them, and refuses every other.
"""

import math
import pickletools
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from workbench.messages import tr
from workbench.text import safe_text
from workbench.training.stored_layers import ForeignFile, StoredLayer

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
MOST_BYTES = 1 << 30  # of a file
_STORAGE = "storage"
# What the file may name: stand-ins, none of which is PyTorch's.
_DICTIONARY, _TENSOR = "OrderedDict", "tensor"
_NAMES = {
    "collections OrderedDict": _DICTIONARY,
    "torch._utils _rebuild_tensor_v2": _TENSOR,
    "torch FloatStorage": "<f4",
    "torch LongStorage": "<i8",
}
_DTYPES = ("<f4", "<i8")
# Weights of a module in Keras's order, by the ends of their names.
_ENDINGS = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class Named:
    """Something that the file names."""

    what: str


@dataclass(frozen=True)
class StoredNumbers:
    """Numbers of the file: their type, key and count."""

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage: its first number, sides, and distances between neighbours in numbers."""

    storage: StoredNumbers
    offset: int
    sides: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Return the tensors of a file by their names, in its order.

    Every storage belongs to one tensor, which has all its numbers, and nothing is left over.

    Raises:
        ForeignFile: it is not such a file, or holds anything else.
        OSError: it cannot be read.
    """
    if path.stat().st_size > MOST_BYTES:
        raise ForeignFile(tr("it is larger than {most:,} bytes", most=MOST_BYTES))
    file = BytesIO(path.read_bytes())
    try:
        if _Machine(file).run() != MAGIC or _Machine(file).run() != VERSION:
            raise ForeignFile(tr("it is not of the format that PyTorch wrote before 1.6"))
        facts = _Machine(file).run()
        tensors = _Machine(file, storages=True).run()
        keys = _Machine(file).run()
    except (ValueError, IndexError, KeyError, TypeError, EOFError, struct.error) as error:
        raise ForeignFile(tr("it is damaged ({error})", error=safe_text(error))) from None
    if not isinstance(facts, dict) or facts.get("little_endian") is not True:
        raise ForeignFile(tr("its numbers are not in little-endian order"))
    if not _are_tensors(tensors):
        raise ForeignFile(tr("it holds something other than named tensors"))
    storages = [tensor.storage for tensor in tensors.values()]
    known = {storage.key: storage for storage in storages}
    if len(known) != len(storages):
        raise ForeignFile(tr("several of its tensors share their numbers"))
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(known):
        raise ForeignFile(tr("the numbers it holds are not those of its tensors"))
    numbers = _read_numbers(file, [known[str(key)] for key in keys])
    return {name: _view(name, tensor, numbers) for name, tensor in tensors.items()}


def stored_layers(tensors: dict[str, np.ndarray]) -> list[StoredLayer]:
    """Return the layers of a network's tensors as Keras has them, without its dense top.

    Kernels become (height, width, inputs, outputs).

    Raises:
        ForeignFile: a tensor belongs to no layer.
    """
    modules: dict[str, dict[str, np.ndarray]] = {}
    for name, values in tensors.items():
        module, _, ending = name.rpartition(".")
        if ending in _ENDINGS:
            modules.setdefault(module, {})[ending] = values
        elif ending != "num_batches_tracked":
            raise ForeignFile(tr("{name} belongs to no layer", name=safe_text(name)))
    found = [_stored_layer(name, own) for name, own in modules.items()]
    return [layer for layer in found if not layer.is_dense]


def _stored_layer(name: str, tensors: dict[str, np.ndarray]) -> StoredLayer:
    arrays = [tensors[ending] for ending in _ENDINGS if ending in tensors]
    arrays = [a.transpose(2, 3, 1, 0) if a.ndim == 4 else a for a in arrays]

    def read() -> list[np.ndarray]:
        for array in arrays:
            if array.dtype.kind != "f" or not np.isfinite(array).all():
                raise ForeignFile(
                    tr("{name} holds numbers that are not finite", name=safe_text(name))
                )
        return arrays

    return StoredLayer(name, tuple(array.shape for array in arrays), read)


def _are_tensors(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items()
    )


def _read_numbers(file: BytesIO, storages: list[StoredNumbers]) -> dict[str, np.ndarray]:
    """Return the numbers of each storage by its key; they end with the file."""
    content, at, found = file.getbuffer(), file.tell(), {}
    for storage in storages:
        size = np.dtype(storage.dtype).itemsize * storage.count
        if at + 8 + size > len(content):
            raise ForeignFile(tr("it is cut short"))
        if struct.unpack_from("<q", content, at)[0] != storage.count:
            raise ForeignFile(tr("it holds another count of numbers than it announces"))
        found[storage.key] = np.frombuffer(content, storage.dtype, storage.count, at + 8)
        at += 8 + size
    if at != len(content):
        raise ForeignFile(tr("{count:,} bytes follow its last number", count=len(content) - at))
    return found


def _view(name: str, tensor: Tensor, numbers: dict[str, np.ndarray]) -> np.ndarray:
    """Return a tensor; in its storage the sides may be in any order, but leave no gap."""
    expected, order = 1, []
    sides = enumerate(zip(tensor.strides, tensor.sides, strict=True))
    for axis, (stride, side) in sorted(sides, key=lambda one: (one[1][0], one[1][1] != 1)):
        if side != 1 and stride != expected:
            raise ForeignFile(tr("{name} does not fill its storage", name=safe_text(name)))
        order.append(axis)
        expected *= side
    if tensor.offset or math.prod(tensor.sides) != tensor.storage.count:
        raise ForeignFile(tr("{name} does not fill its storage", name=safe_text(name)))
    order.reverse()  # from the axis with the largest distance
    values = numbers[tensor.storage.key].reshape([tensor.sides[axis] for axis in order])
    return values.transpose(np.argsort(order))


class _Machine:
    """Runs the instructions of one pickle.

    Args:
        file: at the start of the pickle; afterwards at its end.
        storages: whether storages may occur.
    """

    def __init__(self, file: BytesIO, storages: bool = False) -> None:
        self._file = file
        self._storages = storages
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Return the value.

        Raises:
            ForeignFile: an instruction or a name is not allowed.
            ValueError, IndexError, KeyError, TypeError: the instructions do not fit together.
        """
        for instruction, argument, _ in pickletools.genops(self._file):
            name = instruction.name
            if name == "STOP":
                (value,) = self._stack
                return value
            if name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name]())
            elif name in _ARGUMENTS:
                self._stack.append(argument)
            else:
                self._do(name, argument)
        raise EOFError("no end")

    def _do(self, name: str, argument: Any) -> None:
        stack = self._stack
        match name:
            case "PROTO":
                if argument != 2:
                    raise ValueError(f"protocol {argument}")
            case "MARK":
                self._marks.append(len(stack))
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "TUPLE":
                stack.append(tuple(self._marked()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(name[-1])
                parts = tuple(self._stack[-count:])
                if len(parts) < count:
                    raise IndexError("too few values")
                del stack[-count:]
                stack.append(parts)
            case "APPEND":
                value = stack.pop()
                _of(list, stack[-1]).append(value)
            case "APPENDS":
                values = list(self._marked())
                _of(list, stack[-1]).extend(values)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _of(dict, stack[-1])[_of(str, key)] = value
            case "SETITEMS":
                pairs = list(self._marked())
                into = _of(dict, stack[-1])
                for key, value in zip(pairs[::2], pairs[1::2], strict=True):
                    into[_of(str, key)] = value
            case "GLOBAL":
                if argument not in _NAMES:
                    raise ForeignFile(
                        tr("it names {what}, which is not allowed", what=safe_text(argument))
                    )
                stack.append(Named(_NAMES[argument]))
            case "BINPERSID":
                stack.append(self._storage(stack.pop()))
            case "REDUCE":
                arguments = _of(tuple, stack.pop())
                stack.append(_made(_of(Named, stack.pop()).what, arguments))
            case "BUILD":  # notes that PyTorch keeps at the dictionary
                stack.pop()
                _of(dict, stack[-1])
            case _:
                raise ForeignFile(
                    tr("it has the instruction {name}, which is not allowed", name=name)
                )

    def _marked(self) -> Iterator[Any]:
        """Take the values above the newest mark off the stack."""
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return iter(values)

    def _storage(self, value: Any) -> StoredNumbers:
        kind, dtype, key, _, count, view = _of(tuple, value)
        if not self._storages or kind != _STORAGE or view is not None:
            raise ForeignFile(tr("it refers to something outside itself"))
        if _of(Named, dtype).what not in _DTYPES:
            raise ForeignFile(tr("it holds numbers of an unknown type"))
        return StoredNumbers(dtype.what, _of(str, key), _count(count))


# Instructions that put a value on the stack: a new one, or what stands in the file.
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "NONE": lambda: None,
}
_ARGUMENTS = ("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1")


def _made(what: str, arguments: tuple[Any, ...]) -> Any:
    """Return what the file makes by calling one of its names."""
    if what == _DICTIONARY and not arguments:
        return {}
    if what != _TENSOR:
        raise ForeignFile(tr("it calls {what}, which is not allowed", what=safe_text(what)))
    storage, offset, sides, strides, *_ = arguments
    tensor = Tensor(
        _of(StoredNumbers, storage),
        _count(offset),
        tuple(map(_count, _of(tuple, sides))),
        tuple(map(_count, _of(tuple, strides))),
    )
    if len(tensor.sides) != len(tensor.strides):
        raise ValueError("sides and strides")
    return tensor


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"not a count: {value!r}")
    return value


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{type(value).__name__} for {kind.__name__}")
    return value
