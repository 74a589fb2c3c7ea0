"""Layers in an HDF5 file of weights, read without trusting the file.

Two layouts are known: the one Keras publishes for its bases (Keras 1 and 2: names in attributes),
and `save_weights` of Keras 3. Links and values in other files are refused (CVE-2026-1669).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from workbench.text import safe_text

Shapes = tuple[tuple[int, ...], ...]

# What h5py raises over damaged and forged files. The library below it can crash over them too:
# they are read in a worker's process only.
DAMAGE = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    OverflowError,
    MemoryError,
)


class ForeignFile(Exception):  # noqa: N818 - says what the file is
    """Why the file is not what is asked for, in words, and perhaps what to do."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem, self.hint = problem, hint


@dataclass(frozen=True)
class StoredLayer:
    """A layer in the open file that has weights."""

    name: str
    datasets: tuple[h5py.Dataset, ...]

    @property
    def shapes(self) -> Shapes:
        """Of each of its weights, in Keras's order (kernel, bias; gamma, beta, mean, variance)."""
        return tuple(dataset.shape for dataset in self.datasets)

    @property
    def parameters(self) -> int:
        """How many numbers it has."""
        return sum(dataset.size for dataset in self.datasets)

    @property
    def dense(self) -> bool:
        """Whether it is a dense layer: the bases have none, their tops have nothing else."""
        return len(self.shapes[0]) == 2

    def values(self) -> list[np.ndarray]:
        """The weights themselves.

        Raises:
            ForeignFile: they lie in another file, or are no finite floating-point numbers.
        """
        return [_numbers(dataset, self.name) for dataset in self.datasets]


def stored_layers(file: h5py.File) -> list[StoredLayer]:
    """The layers with weights, in the file's order.

    Raises:
        ForeignFile: it is laid out in neither way.
        one of DAMAGE: it is damaged.
    """
    root: h5py.Group = file
    if "layer_names" not in root.attrs and "model_weights" in root:  # a whole model of Keras 2
        root = _member(root, "model_weights", h5py.Group)
    names = list(_strings(root, "layer_names"))
    if names:
        layers = [_published_layer(root, name) for name in names]
    elif "layers" in root:
        group = _member(root, "layers", h5py.Group)
        layers = [_saved_layer(_member(group, key, h5py.Group)) for key in group]
    else:
        raise ForeignFile("it has no layers as Keras stores them")
    return [layer for layer in layers if layer.datasets]


def _published_layer(root: h5py.Group, name: str) -> StoredLayer:
    group = _member(root, name, h5py.Group)
    return StoredLayer(
        name,
        tuple(_member(group, weight, h5py.Dataset) for weight in _strings(group, "weight_names")),
    )


def _saved_layer(group: h5py.Group) -> StoredLayer:
    """A layer of Keras 3: its weights are numbered, its name is an attribute."""
    if "vars" not in group:
        return StoredLayer("", ())
    values = _member(group, "vars", h5py.Group)
    numbers = sorted(values, key=lambda key: (len(key), key))
    name = str(values.attrs.get("name", group.name))
    return StoredLayer(name, tuple(_member(values, key, h5py.Dataset) for key in numbers))


def _strings(group: h5py.Group, key: str) -> Iterator[str]:
    """A list of names in attributes; Keras parts one that is too long into key0, key1, ..."""
    keys = [key] if key in group.attrs else []
    while key not in keys and f"{key}{len(keys)}" in group.attrs:
        keys.append(f"{key}{len(keys)}")
    for one in keys:
        for name in np.ravel(group.attrs[one]):
            yield name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else str(name)


def _member(group: h5py.Group, path: str, kind: type) -> Any:
    """What lies at a path inside this very file: links could make other files be read."""
    found = group
    for part in path.split("/"):
        link = found.get(part, getlink=True) if isinstance(found, h5py.Group) else None
        if link is None:
            raise ForeignFile(f"{safe_text(path)} is missing")
        if not isinstance(link, h5py.HardLink):
            raise ForeignFile(f"{safe_text(path)} is a link, and links are not followed")
        found = found[part]
    if not isinstance(found, kind):
        raise ForeignFile(f"{safe_text(path)} is not a {kind.__name__.lower()}")
    return found


def _numbers(dataset: h5py.Dataset, layer: str) -> np.ndarray:
    """The values, once it is sure that they lie in this file as they are, and are numbers."""
    if dataset.external or dataset.is_virtual:
        raise ForeignFile(f"the values of {safe_text(layer)} lie in another file")
    # Compressed pieces can grow without end, and a piece be larger than all values.
    if dataset.id.get_create_plist().get_nfilters() or dataset.chunks:
        raise ForeignFile(
            f"the values of {safe_text(layer)} are compressed or in pieces, and Keras writes "
            "them plainly"
        )
    if dataset.dtype.kind != "f":
        raise ForeignFile(
            f"the values of {safe_text(layer)} are {dataset.dtype}, not floating point"
        )
    values = np.asarray(dataset[()])
    if not np.isfinite(values).all():
        raise ForeignFile(f"{safe_text(layer)} holds numbers that are not finite")
    return values
