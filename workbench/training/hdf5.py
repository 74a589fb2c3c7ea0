"""Reads layers from an HDF5 file of weights without trusting the file.

Two layouts are supported: that of Keras's published bases (Keras 1 and 2: names in attributes), and
`save_weights` of Keras 3. Links and values in other files are refused (CVE-2026-1669).
"""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import h5py
import numpy as np

from workbench.messages import tr
from workbench.text import safe_text
from workbench.training.stored_layers import ForeignFile, StoredLayer

# What h5py raises on damaged and forged files. The library below it can crash on them too, so they
# are read in a worker's process only.
DAMAGE = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    OverflowError,
    MemoryError,
)


def stored_layers(file: h5py.File, inside: str = "") -> list[StoredLayer]:
    """Return the layers with weights, in the file's order.

    `inside` is the path of a model within the file's model.

    Raises:
        ForeignFile: the file has neither layout.
        one of DAMAGE: the file is damaged.
    """
    root: h5py.Group = _member(file, inside, h5py.Group) if inside else file
    if "layer_names" not in root.attrs and "model_weights" in root:  # a whole model of Keras 2
        root = _member(root, "model_weights", h5py.Group)
    names = list(_strings(root, "layer_names"))
    if names:
        layers = [_published_layer(root, name) for name in names]
    elif "layers" in root:
        group = _member(root, "layers", h5py.Group)
        layers = list(_saved_layers(group))
    else:
        raise ForeignFile(tr("it has no layers as Keras stores them"))
    return [layer for layer in layers if layer.shapes]


def is_in_order(file: h5py.File) -> bool:
    """Return whether `stored_layers` are in the network's order; Keras 3 sorts by class instead."""
    return "layers" not in file


def _saved_layers(group: h5py.Group) -> Iterator[StoredLayer]:
    """Yield the layers of Keras 3, those of networks inside the network too."""
    for key in group:
        layer = _member(group, key, h5py.Group)
        yield _saved_layer(layer)
        if "layers" in layer:
            yield from _saved_layers(_member(layer, "layers", h5py.Group))


def _published_layer(root: h5py.Group, name: str) -> StoredLayer:
    group = _member(root, name, h5py.Group)
    return _stored_layer(name, group, _strings(group, "weight_names"))


def _saved_layer(group: h5py.Group) -> StoredLayer:
    """Return a layer of Keras 3, whose weights are numbered and whose name is an attribute."""
    if "vars" not in group:
        return StoredLayer("", (), list)
    values = _member(group, "vars", h5py.Group)
    numbers = sorted(values, key=lambda key: (len(key), key))
    return _stored_layer(str(values.attrs.get("name", group.name)), values, numbers)


def _stored_layer(name: str, group: h5py.Group, weights: Iterable[str]) -> StoredLayer:
    datasets = [_member(group, weight, h5py.Dataset) for weight in weights]
    shapes = tuple(dataset.shape for dataset in datasets)
    return StoredLayer(name, shapes, partial(_read_all, datasets, name))


def _read_all(datasets: list[h5py.Dataset], layer: str) -> list[np.ndarray]:
    return [_read_values(dataset, layer) for dataset in datasets]


def _strings(group: h5py.Group, key: str) -> Iterator[str]:
    """Yield a list of names in attributes; Keras splits a long one into key0, key1, ..."""
    keys = [key] if key in group.attrs else []
    while key not in keys and f"{key}{len(keys)}" in group.attrs:
        keys.append(f"{key}{len(keys)}")
    for one in keys:
        for name in np.ravel(group.attrs[one]):
            yield name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else str(name)


def _member(group: h5py.Group, path: str, kind: type) -> Any:
    """Return the object at a path inside this file; following links could read other files."""
    found = group
    for part in path.split("/"):
        link = found.get(part, getlink=True) if isinstance(found, h5py.Group) else None
        if link is None:
            raise ForeignFile(tr("{path} is missing", path=safe_text(path)))
        if not isinstance(link, h5py.HardLink):
            raise ForeignFile(
                tr("{path} is a link, and links are not followed", path=safe_text(path))
            )
        found = found[part]
    if not isinstance(found, kind):
        raise ForeignFile(
            tr("{path} is not a {name}", path=safe_text(path), name=kind.__name__.lower())
        )
    return found


def _read_values(dataset: h5py.Dataset, layer: str) -> np.ndarray:
    """Return the values, if they are stored plainly in this file and are finite numbers."""
    if dataset.external or dataset.is_virtual:
        raise ForeignFile(tr("the values of {layer} lie in another file", layer=safe_text(layer)))
    # Compressed chunks can grow without limit, and a chunk can be larger than all values.
    if dataset.id.get_create_plist().get_nfilters() or dataset.chunks:
        raise ForeignFile(
            tr(
                "the values of {layer} are compressed or in pieces, and Keras writes them plainly",
                layer=safe_text(layer),
            )
        )
    if dataset.dtype.kind != "f":
        raise ForeignFile(
            tr(
                "the values of {layer} are {dtype}, not floating point",
                layer=safe_text(layer),
                dtype=dataset.dtype,
            )
        )
    values = np.asarray(dataset[()])
    if not np.isfinite(values).all():
        raise ForeignFile(tr("{layer} holds numbers that are not finite", layer=safe_text(layer)))
    return values
