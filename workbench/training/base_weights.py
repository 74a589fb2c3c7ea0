"""Loads the weights of a base from a file, which is checked completely before any is set."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import h5py
import keras
import numpy as np

from workbench.bases.architectures import BASES
from workbench.bases.published import weights_file
from workbench.bases.table import BaseTable
from workbench.bases.weights import TORCH, check_weights_file
from workbench.errors import UserError
from workbench.messages import tr
from workbench.text import format_shape, safe_text
from workbench.training import torch_file
from workbench.training.hdf5 import DAMAGE, is_in_order, stored_layers
from workbench.training.stored_layers import ForeignFile, Shapes, StoredLayer


def load_base_weights(model: keras.Model, table: BaseTable, path: Path) -> None:
    """Set the weights of a base's layers from a file, as Keras itself would.

    Layers are matched by name. If the file has other names (the published MobileNetV2 files are
    older than Keras's present ones), they are matched by order, as in Keras; in both cases each
    shape must fit, apart from sides of one: Keras writes a number a channel in several ways.

    Args:
        model: holds the layers of `table` under their names; other layers are left unchanged.
        table: at any image size, since weights fit all of them.
        path: of the weights.

    Raises:
        UserError: the file is missing, cut short, damaged, or holds other layers or shapes (the
            first difference is named). The model is unchanged then.
    """
    check_weights_file(path)
    shown = safe_text(path, 2000)
    targets = {
        layer.name: model.get_layer(layer.name).weights
        for layer in table.layers
        if layer.parameters
    }
    expected = {
        name: tuple(tuple(variable.shape) for variable in variables)
        for name, variables in targets.items()
    }
    try:
        with _stored_layers(path) as (stored, in_order):
            matched = _match_layers(table, expected, stored, in_order)
            values = [layer.read() for layer in matched]
    except ForeignFile as error:
        raise UserError(
            tr(
                "{shown} does not hold weights of {title}: {problem}.",
                shown=shown,
                title=table.title,
                problem=error.problem,
            ),
            error.hint,
        ) from None
    except DAMAGE as error:
        raise UserError(
            tr(
                "{shown} cannot be read: it is cut short or damaged ({error}).",
                shown=shown,
                error=safe_text(error),
            ),
            tr("Copy it again; its size here is {st_size:,} bytes.", st_size=path.stat().st_size),
        ) from None
    for variables, arrays in zip(targets.values(), values, strict=True):
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array.reshape(variable.shape))


@contextmanager
def _stored_layers(path: Path) -> Iterator[tuple[list[StoredLayer], bool]]:
    """Open a file; yield its layers, and whether they are in the network's order."""
    with path.open("rb") as file:
        is_torch = file.read(len(TORCH)) == TORCH
    if is_torch:
        yield torch_file.stored_layers(torch_file.read_tensors(path)), True
        return
    with h5py.File(path, "r") as file:
        yield stored_layers(file), is_in_order(file)


def _match_layers(
    table: BaseTable, expected: dict[str, Shapes], stored: list[StoredLayer], in_order: bool
) -> list[StoredLayer]:
    """Return the stored layers in the expected order; raise ForeignFile if one does not fit."""
    stored = list(_opened(expected, stored))
    by_name = {layer.name: layer for layer in stored}
    if expected.keys() <= by_name.keys():
        matched = [by_name[name] for name in expected]
    else:
        matched = stored[: len(expected)]
        if not in_order:
            _require_known_shapes(expected, stored)
    for (name, shapes), layer in zip(expected.items(), matched, strict=False):
        if not _same(layer.shapes, shapes):
            raise ForeignFile(
                tr(
                    "its layer {layer_name} has {shapes} where {name} needs {needed}{guess}",
                    layer_name=safe_text(layer.name),
                    shapes=_format_shapes(layer.shapes),
                    name=name,
                    needed=_format_shapes(shapes),
                    guess=_describe_guess(stored, table),
                )
            )
    if len(matched) < len(expected):
        missing = list(expected)[len(matched)]
        raise ForeignFile(
            tr(
                "it has {stored_count} layers with weights where {expected_count} "
                "are needed; the first that is missing is {missing}{guess}",
                stored_count=len(stored),
                expected_count=len(expected),
                missing=missing,
                guess=_describe_guess(stored, table),
            )
        )
    used = {layer.name for layer in matched}
    if extra := [layer for layer in stored if layer.name not in used]:
        names = ", ".join(safe_text(layer.name) for layer in extra[:4])
        if all(layer.is_dense for layer in extra):
            without = weights_file(table.name, table.input_shape[:2]).name
            raise ForeignFile(
                tr("it is the file with the classifying top ({names})", names=names),
                tr("Give the one without it, which Keras publishes as {without}.", without=without),
            )
        raise ForeignFile(
            tr(
                "it has more layers ({names}){guess}",
                names=names,
                guess=_describe_guess(stored, table),
            )
        )
    return matched


def _opened(expected: dict[str, Shapes], stored: list[StoredLayer]) -> Iterator[StoredLayer]:
    """Yield the layers of networks inside the network, such as ConvNeXt's stem, one by one.

    Keras stores such a network as one layer with the weights of all its layers. They are only
    opened where that gives exactly as many weights as are needed.
    """
    counts = [len(shapes) for shapes in expected.values()]
    if len(stored) >= len(counts) or sum(len(one.shapes) for one in stored) != sum(counts):
        yield from stored
        return
    coming = iter(counts)
    for layer in stored:
        start = 0
        while start < len(layer.shapes):
            end = start + next(coming)
            read = partial(_read_part, layer, start, end)
            yield StoredLayer(layer.name, layer.shapes[start:end], read)
            start = end


def _read_part(layer: StoredLayer, start: int, end: int) -> list[np.ndarray]:
    return layer.read()[start:end]


def _require_known_shapes(expected: dict[str, Shapes], stored: list[StoredLayer]) -> None:
    """Refuse a file that has the right shapes but neither names nor order to tell them apart."""
    shapes = sorted(_without_ones(one.shapes) for one in stored)
    if shapes == sorted(_without_ones(one) for one in expected.values()):
        known = {layer.name for layer in stored}
        missing = next(name for name in expected if name not in known)
        raise ForeignFile(
            tr("it has no layer {missing}, and its layers are in no order", missing=missing)
        )


def _same(stored: Shapes, needed: Shapes) -> bool:
    """Return whether shapes are the same apart from sides of one."""
    return stored == needed or _without_ones(stored) == _without_ones(needed)


def _without_ones(shapes: Shapes) -> Shapes:
    return tuple(tuple(side for side in shape if side != 1) for shape in shapes)


def _describe_guess(stored: list[StoredLayer], wanted: BaseTable) -> str:
    """Name another base that these layers may belong to; "" if there is none."""
    found = sorted(layer.parameters for layer in stored if not layer.is_dense)
    for name, info in BASES.items():
        table = info.table
        own = sorted(layer.parameters for layer in table.layers if layer.parameters)
        if found == own and name != wanted.name:
            return tr(". It looks like {title}", title=table.title)
    return ""


def _format_shapes(shapes: Shapes) -> str:
    return tr(" and ").join(format_shape(shape) for shape in shapes)
