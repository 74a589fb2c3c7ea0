"""Files of PyTorch before 1.6: their tensors are read, and nothing else is let through."""

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from workbench.training.stored_layers import ForeignFile
from workbench.training.torch_file import MAGIC, MOST_BYTES, VERSION, read_tensors, stored_layers

KERNEL = np.arange(2 * 3 * 3 * 4, dtype="<f4").reshape(3, 3, 2, 4)  # as Keras has it


class _Stand:
    """A name that a pickle mentions: PyTorch's are not importable here."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


FLOATS, LONGS = _Stand("torch", "FloatStorage"), _Stand("torch", "LongStorage")
REBUILD = _Stand("torch._utils", "_rebuild_tensor_v2")


class _Call:
    """What a pickle makes by calling a name."""

    def __init__(self, what: _Stand, *arguments: Any) -> None:
        self.what, self.arguments = what, arguments


class _Storage:
    def __init__(self, key: str, values: np.ndarray, kind: _Stand = FLOATS) -> None:
        self.key, self.values, self.kind = key, values, kind


class _Pickler(pickle._Pickler):  # written in Python, so that names can be written freely
    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, _Storage):
            return ("storage", value.kind, value.key, "cpu", value.values.size, None)
        return None

    def save_stand(self, value: _Stand) -> None:
        self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())

    def save_call(self, value: _Call) -> None:
        self.save_stand(value.what)
        self.save(value.arguments)
        self.write(pickle.REDUCE)

    dispatch[_Stand] = save_stand
    dispatch[_Call] = save_call


def pickled(value: Any) -> bytes:
    content = io.BytesIO()
    _Pickler(content, 2).dump(value)
    return content.getvalue()


def tensor(storage: _Storage, sides: tuple[int, ...], strides: tuple[int, ...], offset: int = 0):
    return _Call(REBUILD, storage, offset, sides, strides, False, OrderedDict())


def contiguous(key: str, values: np.ndarray, kind: _Stand = FLOATS):
    strides = tuple(side // values.itemsize for side in values.strides)
    return tensor(_Storage(key, values.reshape(-1), kind), values.shape, strides)


def permuted_kernel(key: str = "1"):
    """TensorFlow's kernel (height, width, in, out) as PyTorch's (out, in, height, width)."""
    return tensor(_Storage(key, KERNEL.reshape(-1)), (4, 2, 3, 3), (1, 4, 24, 8))


def storages_of(values: dict[str, Any]) -> list[_Storage]:
    return [call.arguments[0] for call in values.values()]


def write(
    path: Path,
    values: Any,
    storages: list[_Storage] | None = None,
    magic: int = MAGIC,
    facts: Any = None,
    tail: bytes = b"",
    count: Callable[[int], int] = lambda count: count,
) -> Path:
    storages = storages_of(values) if storages is None else storages
    facts = {"protocol_version": VERSION, "little_endian": True} if facts is None else facts
    content = b"".join(pickled(one) for one in (magic, VERSION, facts))
    content += pickled(values) + pickled([one.key for one in storages])
    for one in storages:
        content += struct.pack("<q", count(one.values.size)) + one.values.tobytes()
    path.write_bytes(content + tail)
    return path


def named(**tensors: Any) -> Any:
    """An OrderedDict as PyTorch writes it."""
    return OrderedDict((name.replace("__", "."), value) for name, value in tensors.items())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "w.pth"


def refusal(path: Path) -> str:
    with pytest.raises(ForeignFile) as refused:
        read_tensors(path)
    return str(refused.value)


# --- what is read -----------------------------------------------------------------------------


def test_tensors_are_read_in_order_with_their_strides(path: Path) -> None:
    values = named(
        conv__weight=permuted_kernel(),
        bn__weight=contiguous("2", np.arange(4, dtype="<f4")),
        bn__num_batches_tracked=contiguous("3", np.array(7, "<i8"), LONGS),
    )
    found = read_tensors(write(path, values))
    assert list(found) == ["conv.weight", "bn.weight", "bn.num_batches_tracked"]
    assert np.array_equal(found["conv.weight"], KERNEL.transpose(3, 2, 0, 1))
    assert np.array_equal(found["bn.weight"], np.arange(4))
    assert found["bn.num_batches_tracked"] == 7


def test_layers_are_as_keras_has_them_without_the_dense_top(path: Path) -> None:
    ones = {key: contiguous(key, np.ones(4, "<f4")) for key in "abcd"}
    values = named(
        conv__weight=permuted_kernel(),
        bn__weight=ones["a"],
        bn__bias=ones["b"],
        bn__running_mean=ones["c"],
        bn__running_var=ones["d"],
        bn__num_batches_tracked=contiguous("3", np.array(7, "<i8"), LONGS),
        fc__weight=contiguous("4", np.ones((10, 4), "<f4")),
        fc__bias=contiguous("5", np.ones(10, "<f4")),
    )
    conv, norm = stored_layers(read_tensors(write(path, values)))
    assert (conv.name, conv.shapes, conv.parameters) == ("conv", ((3, 3, 2, 4),), 72)
    assert np.array_equal(conv.read()[0], KERNEL)
    assert (norm.name, norm.shapes) == ("bn", ((4,),) * 4)


def test_a_side_of_one_may_have_any_stride(path: Path) -> None:
    storage = _Storage("1", np.arange(6, dtype="<f4"))
    found = read_tensors(write(path, named(a=tensor(storage, (3, 1, 2), (2, 77, 1)))))
    assert np.array_equal(found["a"], np.arange(6).reshape(3, 1, 2))


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["os system", "builtins eval", "torch load", "numpy array"])
def test_other_names_are_refused(path: Path, name: str) -> None:
    call = _Call(_Stand(*name.split()), "echo")
    write(path, named(a=call), storages=[])
    assert refusal(path) == f"it names {name}, which is not allowed"


def test_names_that_are_allowed_are_called_only_in_their_way(path: Path) -> None:
    write(path, named(a=_Call(FLOATS, 3)), storages=[])
    assert "it calls <f4, which is not allowed" in refusal(path)
    write(path, _Call(_Stand("collections", "OrderedDict"), [("a", 1)]), storages=[])
    assert "it calls OrderedDict, which is not allowed" in refusal(path)


@pytest.mark.parametrize("value", [b"bytes", 1.5, {1, 2}, 1 << 3000, pytest, Path("x")])
def test_other_instructions_are_refused(path: Path, value: Any) -> None:
    content = pickle.dumps(MAGIC, 2) + pickle.dumps(VERSION, 2) + pickle.dumps({}, 2)
    try:
        hostile = pickle.dumps(value, 4)
    except TypeError:  # a module
        hostile = b"\x80\x02cos\nsystem\n."
    path.write_bytes(content + hostile)
    message = refusal(path)
    assert "not allowed" in message or "it is damaged" in message


def test_what_is_not_a_dictionary_of_tensors_is_refused(path: Path) -> None:
    for value in (7, {"a": 1}, {"a": {"b": contiguous("1", np.ones(2, "<f4"))}}):
        write(path, value, storages=[])
        assert refusal(path) == "it holds something other than named tensors"


@pytest.mark.parametrize(
    ("sides", "strides", "offset"),
    [
        ((4,), (1,), 0),  # a part of the storage
        ((6,), (1,), 1),  # behind its end
        ((7,), (1,), 0),
        ((2, 3), (3, 2), 0),  # overlapping
        ((6, 1000, 1000), (1, 0, 0), 0),  # one number many times
        ((2, 3), (6, 1), 0),  # a gap
        ((1 << 40,), (1,), 0),
    ],
)
def test_a_tensor_that_does_not_fill_its_storage_is_refused(
    path: Path, sides: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> None:
    storage = _Storage("1", np.arange(6, dtype="<f4"))
    write(path, named(a=tensor(storage, sides, strides, offset)))
    assert refusal(path) == "a does not fill its storage"


def test_negative_and_missing_counts_are_refused(path: Path) -> None:
    storage = _Storage("1", np.arange(6, dtype="<f4"))
    for sides, strides in [((-6,), (1,)), ((6,), (-1,)), ((2, 3), (1,)), ((6.0,), (1,))]:
        write(path, named(a=tensor(storage, sides, strides)))
        message = refusal(path)
        assert "it is damaged" in message or "not allowed" in message


def test_shared_numbers_are_refused(path: Path) -> None:
    values = named(a=contiguous("1", np.ones(4, "<f4")), b=contiguous("1", np.ones(4, "<f4")))
    write(path, values, storages_of(values)[:1])
    assert refusal(path) == "several of its tensors share their numbers"


def test_numbers_that_are_missing_or_left_over_are_refused(path: Path) -> None:
    values = named(a=contiguous("1", np.ones(4, "<f4")))
    for storages in ([], [*storages_of(values), _Storage("2", np.ones(1, "<f4"))]):
        write(path, values, storages)
        assert refusal(path) == "the numbers it holds are not those of its tensors"
    write(path, values, tail=b"more")
    assert refusal(path) == "4 bytes follow its last number"
    write(path, values, count=lambda count: count + 1)
    assert refusal(path) == "it holds another count of numbers than it announces"


def test_every_cut_is_refused(path: Path) -> None:
    whole = write(path, named(a=permuted_kernel())).read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        refusal(path)


def test_other_formats_are_refused(path: Path) -> None:
    values = named(a=contiguous("1", np.ones(4, "<f4")))
    write(path, values, magic=7)
    assert refusal(path) == "it is not of the format that PyTorch wrote before 1.6"
    write(path, values, facts={"little_endian": False})
    assert refusal(path) == "its numbers are not in little-endian order"
    path.write_bytes(b"PK\x03\x04 a zip file")
    assert "it is damaged" in refusal(path)
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert refusal(path) == f"it is larger than {MOST_BYTES:,} bytes"


def test_a_huge_number_of_a_place_in_the_memory_costs_nothing(path: Path) -> None:
    start = pickle.dumps(MAGIC, 2) + pickle.dumps(VERSION, 2) + pickle.dumps({}, 2)
    path.write_bytes(start + b"\x80\x02}r\xff\xff\xff\xff.")  # LONG_BINPUT 4294967295
    assert "it is damaged" in refusal(path)


def test_numbers_that_are_not_finite_are_refused_when_they_are_read(path: Path) -> None:
    values = named(bn__weight=contiguous("1", np.array([1, np.nan], "<f4")))
    (layer,) = stored_layers(read_tensors(write(path, values)))
    with pytest.raises(ForeignFile, match="bn holds numbers that are not finite"):
        layer.read()


def test_a_tensor_of_no_layer_is_refused(path: Path) -> None:
    values = named(bn__gamma=contiguous("1", np.ones(2, "<f4")))
    with pytest.raises(ForeignFile, match=r"bn\.gamma belongs to no layer"):
        stored_layers(read_tensors(write(path, values)))
